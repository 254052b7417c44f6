//! A directory with a protected file in it, and the command to run there.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

/// A file, its seal, and both as they were sealed.
pub(crate) struct Stage {
    pub(crate) dir: TempDir,
    pub(crate) body: Vec<u8>,
    pub(crate) seal: Vec<u8>,
}

/// How a run ended.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) json: Value,
    pub(crate) stderr: String,
}

/// What a run that was given text printed as text.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Bytes that do not repeat.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..len).map(|_| next()).collect()
}

impl Stage {
    pub(crate) fn empty() -> Self {
        Self { dir: TempDir::new().unwrap(), body: Vec::new(), seal: Vec::new() }
    }

    #[track_caller]
    pub(crate) fn new(body_len: usize, options: &[&str]) -> Self {
        let mut stage = Self::empty();
        stage.body = noise(body_len, body_len as u64);
        fs::write(stage.path("f"), &stage.body).unwrap();
        let run = stage.run(&[&["protect", "f"], options].concat());
        assert_eq!(run.code, 0, "{}", run.stderr);
        stage.seal = fs::read(stage.path("f.seal")).unwrap();
        stage
    }

    pub(crate) fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.dir.path().join(name.as_ref())
    }

    pub(crate) fn output(&self, arguments: &[impl AsRef<OsStr>]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_resilver"));
        command.args(arguments).current_dir(self.dir.path()).output().unwrap()
    }

    /// Runs the command with `input` on its stdin.
    #[track_caller]
    pub(crate) fn feed(&self, arguments: &[impl AsRef<OsStr>], input: &str) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_resilver"));
        command.args(arguments).current_dir(self.dir.path()).env_remove("RESILVER_DB");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_owned());
        // Whoever refuses does not read to the end.
        let feeding = thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        let _ = feeding.join().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().expect("no signal ends it");
        let said = Said { code, stdout: text(output.stdout), stderr: text(output.stderr) };
        assert!(!said.stderr.contains("panicked"), "{said:?}");
        said
    }

    /// Runs the command with `--json`.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[impl AsRef<OsStr>]) -> Run {
        let arguments: Vec<&OsStr> =
            [OsStr::new("--json")].into_iter().chain(arguments.iter().map(AsRef::as_ref)).collect();
        let output = self.output(&arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
        let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        Run { code: output.status.code().expect("no signal ends it"), json, stderr }
    }

    /// Runs, and checks the exit code.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, arguments: &[impl AsRef<OsStr>]) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, code, "{}\n{:#}", run.stderr, run.json);
        run
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Changes bytes of a file and leaves its time alone, as rot does.
    pub(crate) fn rot(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.path(name);
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    }

    #[track_caller]
    pub(crate) fn check_whole(&self) {
        assert!(self.read("f") == self.body, "the file is not what was sealed");
        assert!(self.read("f.seal") == self.seal, "the seal is not what was written");
    }
}
