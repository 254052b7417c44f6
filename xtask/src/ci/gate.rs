//! One gate: a name, what it holds, and the runs that must all succeed.

use crate::failure::Failure;
use crate::tool::Tool;
use crate::workspace::Workspace;

/// What a gate says when nothing is wrong.
#[derive(Debug)]
pub(super) enum Verdict {
    Passed,
    /// It could not be asked; the reason is shown, and it is no failure.
    Skipped {
        reason: String,
    },
}

/// A gate with what to do when it does not hold.
pub(super) struct Gate {
    pub(super) name: &'static str,
    pub(super) holds: &'static str,
    pub(super) next: &'static str,
    pub(super) work: Work,
}

pub(super) enum Work {
    /// Runs of cargo, one a line, with environment for all.
    Cargo { lines: Vec<String>, env: &'static [(&'static str, &'static str)] },
    /// A function of this program.
    Own(fn(&Workspace) -> Result<Verdict, Failure>),
}

impl Gate {
    pub(super) fn run(
        &self,
        workspace: &Workspace,
        environment: &[(&str, String)],
    ) -> Result<Verdict, Failure> {
        let (lines, env) = match &self.work {
            Work::Own(work) => return work(workspace),
            Work::Cargo { lines, env } => (lines, env),
        };
        for line in lines {
            let tool =
                environment.iter().fold(Tool::cargo(line), |tool, (name, value)| tool.env(name, value));
            let tool = env.iter().fold(tool, |tool, (name, value)| tool.env(name, value));
            tool.dir(&workspace.root).run()?;
        }
        Ok(Verdict::Passed)
    }
}
