//! `sign-raw`: a detached signature over a file as it is.

use std::path::Path;

use shared_shield::{Content, Error, ErrorKind, Request, Result, Role};

use crate::args::{Global, SignRaw};
use crate::done;
use crate::exit::Exit;
use crate::pin::Asker;
use crate::reach;
use crate::screen::{Screen, clean};
use crate::words;

pub(crate) fn run(global: &Global, args: &SignRaw, screen: &Screen) -> Result<Exit> {
    let signing = &args.signing;
    let mut asker = Asker::new(&signing.pin, screen)?;
    check_output(&args.file, &args.out, signing.overwrite)?;
    done::sweep(&[&args.out]);
    let (role, selector) = (Role::from(args.role), signing.choice.selector());
    let scan = reach::scan(global)?;
    let shield = reach::choose(&scan, role, &selector, signing.even_outside_validity)?;
    let length = std::fs::metadata(&args.file).map_or(0, |m| m.len());
    let name = clean(&args.file.display().to_string());
    let text = screen.lang.pick(format!("{name}, {length} octets"), format!("{name}，{length} 字节"));
    let receipt = asker.run(signing.consent(), |prompt, consent| {
        let request = Request::raw(role, Content::file(&args.file)).of(selector.clone()).shown(&text).consent(consent);
        let request = if signing.even_outside_validity { request.even_outside_validity() } else { request };
        done::write(&args.out, signing.overwrite, |out| shield.sign(request, prompt, &global.wait(), out))
    })?;
    let (out, facts) = (clean(&args.out.display().to_string()), words::receipt(&receipt, screen.lang));
    screen.line(screen.lang.pick(format!("signed {out}: {facts}"), format!("已签名 {out}：{facts}")));
    Ok(Exit::Done)
}

/// Nothing that exists is replaced without a word, and never the document itself.
fn check_output(file: &Path, out: &Path, overwrite: bool) -> Result<()> {
    let refuse = |kind, why: &str| Error::new(kind, "plan output").detail(format!("{}: {why}", out.display()));
    if matches!((file.canonicalize(), out.canonicalize()), (Ok(a), Ok(b)) if a == b) {
        return Err(refuse(ErrorKind::Argument, "this is the file that is to be signed"));
    }
    if out.symlink_metadata().is_ok() && !overwrite {
        let there = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        return Err(refuse(ErrorKind::OutputFailed, "it exists: --overwrite replaces it").io(&there));
    }
    Ok(())
}
