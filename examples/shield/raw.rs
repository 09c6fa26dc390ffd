//! `sign-raw`: a detached signature over a file as it is.

use shared_shield::{Content, Request, Result, Role};

use crate::args::{Global, SignRaw};
use crate::exit::Exit;
use crate::pin::Asker;
use crate::screen::{Screen, clean};
use crate::single::{Single, check_output};

pub(crate) fn run(global: &Global, args: &SignRaw, screen: &Screen) -> Result<Exit> {
    let signing = &args.signing;
    let mut asker = Asker::new(&signing.pin, screen)?;
    check_output(global, &[&args.file], &args.out, signing.overwrite)?;
    let length = std::fs::metadata(&args.file).map_or(0, |m| m.len());
    let name = clean(&args.file.display().to_string());
    let text = screen.lang.pick(format!("{name}, {length} octets"), format!("{name}，{length} 字节"));
    let single = Single { global, signing, screen };
    let request = Request::raw(Role::from(args.role), Content::file(&args.file)).shown(text);
    let (shield, request) = single.reach(request)?;
    let receipt = single.sign(&shield, &request, &mut asker, &args.out)?;
    Ok(single.done(&args.out, &receipt))
}
