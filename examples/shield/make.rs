//! `make-test-shield`.

use shared_shield::{Error, ErrorKind, Result};

use crate::args::{Global, MakeTestShield};
use crate::exit::Exit;
use crate::screen::Screen;

pub(crate) fn run(_global: &Global, _args: &MakeTestShield, _screen: &Screen) -> Result<Exit> {
    Err(Error::new(ErrorKind::Unsupported, "make test shield"))
}
