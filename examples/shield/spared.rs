//! Files that are not for being replaced: what the command line names is read, so no output goes there, whatever `--overwrite` says.

use std::path::{Path, PathBuf};

use shared_shield::{Error, ErrorKind, Result};

use crate::args::Global;

/// Refuses an output in the place of a profile, a simulator's state (its keys are in it), a log, a driver, or one of the files in `read`.
pub(crate) fn check<'p>(global: &Global, read: &[&Path], outputs: impl IntoIterator<Item = &'p Path>) -> Result<()> {
    refuse(global.files().chain(read.iter().copied()), outputs)
}

/// Refuses a log in the place of a profile, a simulator's state, or a driver: it would be written behind what stands there.
pub(crate) fn check_log(global: &Global, log: &Path) -> Result<()> {
    let named = [&global.profile, &global.simulator].into_iter().flatten().chain(&global.module);
    refuse(named.map(PathBuf::as_path), [log])
}

fn refuse<'n, 'p>(named: impl Iterator<Item = &'n Path>, outputs: impl IntoIterator<Item = &'p Path>) -> Result<()> {
    let whole = |path: &Path| path.canonicalize().ok();
    let named: Vec<(PathBuf, &Path)> = named.filter_map(|path| Some((whole(path)?, path))).collect();
    for output in outputs {
        let there = whole(output);
        if let Some((_, lost)) = named.iter().find(|(path, _)| Some(path) == there.as_ref()) {
            let detail = format!("{}: would replace {}, which this command reads", output.display(), lost.display());
            return Err(Error::new(ErrorKind::Argument, "plan output").detail(detail));
        }
    }
    Ok(())
}
