//! `sign-login`: signs the random of a login page; the signature value and the certificate number go to stdout.

use shared_shield::format::login::{Challenge, MAX_OCTETS, Output};
use shared_shield::{Error, ErrorKind, Request, Result, Role};

use crate::args::{Global, SignLogin};
use crate::exit::Exit;
use crate::pin::Asker;
use crate::screen::Screen;
use crate::single::{Single, in_words};
use crate::verify::read;
use crate::words;

pub(crate) fn run(global: &Global, args: &SignLogin, screen: &Screen) -> Result<Exit> {
    let signing = &args.signing;
    let mut asker = Asker::new(&signing.pin, screen)?;
    let role = Role::from(args.role);
    let single = Single { global, signing, screen };
    let (shield, request) = single.reach(request(args, role)?)?;
    let request = in_words(&shield, request, screen, "登录")?;
    let mut written = Vec::new();
    let receipt = single.tried(&shield, role, || {
        asker.run(signing.consent(), |prompt, consent| {
            written.clear();
            shield.sign(request.clone().consent(consent), prompt, &global.wait(), &mut written)
        })
    })?;
    let defect = |_| Error::new(ErrorKind::Defect, "print login");
    let value = String::from_utf8(written).map_err(|e| defect(e.utf8_error()))?;
    if args.json {
        screen.line(value);
        return Ok(Exit::Done);
    }
    screen.line(format!("certNo: {}", receipt.number));
    screen.line(format!("signData: {value}"));
    let facts = words::receipt(&receipt, screen.lang);
    screen.note(screen.lang.pick(format!("signed a login: {facts}"), format!("已签名登录随机数：{facts}")));
    Ok(Exit::Done)
}

fn request(args: &SignLogin, role: Role) -> Result<Request> {
    let output = if args.json { Output::Post } else { Output::Signature };
    match (&args.challenge_base64, &args.challenge_file) {
        (Some(text), _) if args.as_text => Request::login_as(role, Challenge::Text(text), output),
        (Some(text), _) => Request::login_as(role, Challenge::Base64(text), output),
        (_, Some(path)) => {
            // One more than allowed is enough to say that it is too long.
            let octets = read(path, MAX_OCTETS).map_err(|e| match e.kind() {
                ErrorKind::DocumentTooLarge => Error::new(ErrorKind::ChallengeTooLong, "read challenge")
                    .role(role)
                    .detail(path.display().to_string()),
                _ => e,
            })?;
            Request::login_as(role, Challenge::Octets(&octets), output)
        }
        _ => Err(Error::new(ErrorKind::Argument, "read challenge").detail("--challenge-base64 or --challenge-file")),
    }
}
