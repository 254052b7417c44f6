//! Words after a command's name, taken one by one; whatever nobody took is a mistake.

use std::str::FromStr;

use crate::failure::Failure;

/// What is left of a command line.
#[derive(Debug)]
pub(crate) struct Args {
    command: &'static str,
    words: Vec<String>,
}

impl Args {
    pub(crate) fn new(command: &'static str, words: Vec<String>) -> Self {
        Self { command, words }
    }

    /// Takes `--name` and says whether it was there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() < before
    }

    /// Takes `--name VALUE`.
    pub(crate) fn value<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Failure> {
        let Some(at) = self.words.iter().position(|word| word == name) else { return Ok(None) };
        self.words.remove(at);
        let text = if at < self.words.len() { self.words.remove(at) } else { String::new() };
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(self.misuse(format!("`{text}` is no value for {name}"))),
        }
    }

    /// Takes the first word that is not an option.
    pub(crate) fn word(&mut self) -> Option<String> {
        let at = self.words.iter().position(|word| !word.starts_with('-'))?;
        Some(self.words.remove(at))
    }

    /// Ends the taking.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => Err(self.misuse(format!("`{word}` is not known here"))),
        }
    }

    fn misuse(&self, what: String) -> Failure {
        Failure::new(what, format!("see `cargo xtask {} --help`", self.command))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args::new("ci", line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn options_and_words_come_in_any_order() {
        let mut args = args("--seed 7 law --check");
        assert_eq!(args.value::<u64>("--seed").unwrap(), Some(7));
        assert!(args.flag("--check"));
        assert_eq!(args.word().as_deref(), Some("law"));
        args.finish().unwrap();
    }

    #[test]
    fn leftovers_and_bad_values_are_errors() {
        assert!(args("--chekc").finish().is_err());
        assert!(args("--seed x").value::<u64>("--seed").is_err());
        assert!(args("--seed").value::<u64>("--seed").is_err());
    }
}
