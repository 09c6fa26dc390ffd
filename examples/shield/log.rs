//! The log file.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Mutex;

use shared_shield::{Error, ErrorKind, Result};
use tracing_subscriber::filter::LevelFilter;

use crate::args::Level;

/// Appends what the library tells to `path`. The library never tells a PIN.
pub(crate) fn start(path: &Path, level: Level) -> Result<()> {
    let failed =
        |e: std::io::Error| Error::new(ErrorKind::OutputFailed, "open log").io(&e).detail(path.display().to_string());
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt().with_writer(Mutex::new(file)).with_max_level(level).with_ansi(false).init();
    Ok(())
}
