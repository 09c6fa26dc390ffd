//! `sign-179`: payment data of customs announcement 179, from JSON fields or from the ready string.

use shared_shield::format::payment179::{MAX_OCTETS, Output};
use shared_shield::{Content, Request, Result};

use crate::args::{Global, Sign179};
use crate::exit::Exit;
use crate::pin::{Asker, Tells};
use crate::screen::Screen;
use crate::single::{Single, check_output, in_words};
use crate::verify::read;

pub(crate) fn run(global: &Global, args: &Sign179, screen: &Screen) -> Result<Exit> {
    let signing = &args.signing;
    let mut asker = Asker::new(&signing.pin, screen)?.telling(Tells::Stdout);
    check_output(global, &[&args.file], &args.out, signing.overwrite)?;
    let output = match (args.signature_only, args.form_encoded) {
        (true, _) => Output::Signature,
        (_, true) => Output::Form,
        _ => Output::Value,
    };
    // Read once: what is shown is what is signed, whatever becomes of the file; so it may be a pipe, too.
    let content = Content::bytes(read(&args.file, MAX_OCTETS)?);
    let single = Single { global, signing, screen };
    let (shield, request) = single.reach(Request::payment179_as(content, output))?;
    let request = in_words(&shield, request, screen, "海关总署公告2018年第179号支付数据")?;
    let receipt = single.sign(&shield, &request, &mut asker, &args.out)?;
    Ok(single.done(&args.out, &receipt))
}
