//! `sign-payment`: a document for the bank as CMS. A person sees what it is about before the PIN; entering the PIN is the consent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use shared_shield::format::cms::CmsOptions;
use shared_shield::{Content, Digest, DigestAlgorithm, Error, ErrorKind, Request, Result, Role, policy};

use crate::args::{Global, SignPayment};
use crate::exit::Exit;
use crate::held::Held;
use crate::pin::{Asker, Tells};
use crate::screen::{Screen, clean, is_plain};
use crate::single::{Single, check_output};
use crate::verify::read;

pub(crate) fn run(global: &Global, args: &SignPayment, screen: &Screen) -> Result<Exit> {
    let signing = &args.signing;
    let mut asker = Asker::new(&signing.pin, screen)?.telling(Tells::Stdout);
    let read_too = [Some(&args.file), args.text_file.as_ref()].into_iter().flatten().map(PathBuf::as_path);
    check_output(global, &read_too.collect::<Vec<_>>(), &args.out, signing.overwrite)?;
    let (content, own) = document(&args.file, screen)?;
    let text = match (&args.text, &args.text_file) {
        (Some(text), _) => text.clone(),
        (_, Some(path)) => text_of(path)?,
        _ => own,
    };
    let single = Single { global, signing, screen };
    let (shield, request) = single.reach(Request::cms(Role::Bank, content, shape(args)).shown(text))?;
    let receipt = single.sign(&shield, &request, &mut asker, &args.out)?;
    let exit = single.done(&args.out, &receipt);
    let shown = receipt.shown.hex();
    screen.line(screen.lang.pick(
        format!("  the text that was shown: {} {shown}", receipt.shown.algorithm().name()),
        format!("  所显示文字：{} {shown}", receipt.shown.algorithm().name()),
    ));
    Ok(exit)
}

fn shape(args: &SignPayment) -> CmsOptions {
    let shape = if args.detached { CmsOptions::detached() } else { CmsOptions::attached() };
    let shape = if args.no_attributes { shape.without_attributes() } else { shape };
    if args.pem { shape.pem() } else { shape }
}

/// The document, and what is shown of it when the caller says nothing: its name, its length, and the document itself where it is a short
/// plain text, otherwise its SHA-256. A short one is read once and a long one is held to its digest, so that what is shown is what is
/// signed.
fn document(file: &Path, screen: &Screen) -> Result<(Content, String)> {
    let length = std::fs::metadata(file)
        .map_err(|e| Error::new(ErrorKind::InputFailed, "read document").io(&e).detail(file.display().to_string()))?
        .len();
    let name = clean(&file.display().to_string());
    let about = |length: u64| screen.lang.pick(format!("{name}, {length} octets"), format!("{name}，{length} 字节"));
    let by_digest = |length, digest: &Digest| format!("{}\nSHA-256 {}", about(length), digest.hex());
    if length > u64::try_from(policy::DISPLAY_MAX).unwrap_or(u64::MAX) {
        let (held, length) = Held::of(file)?;
        let text = by_digest(length, held.digest());
        return Ok((Content::Source(Arc::new(held)), text));
    }
    let octets = read(file, policy::DISPLAY_MAX)?;
    let length = u64::try_from(octets.len()).unwrap_or(u64::MAX);
    let plain = String::from_utf8(octets.clone()).ok().map(|t| t.replace("\r\n", "\n"));
    let text = plain
        .filter(|text| !text.trim().is_empty() && is_plain(text))
        .map(|text| format!("{}\n{text}", about(length)))
        .filter(|text| text.len() <= policy::DISPLAY_MAX);
    let text = match text {
        Some(text) => text,
        None => by_digest(length, &DigestAlgorithm::Sha256.of(&octets)?),
    };
    Ok((Content::bytes(octets), text))
}

fn text_of(path: &Path) -> Result<String> {
    let refuse =
        |what: String| Error::new(ErrorKind::DisplayText, "read text").detail(format!("{}: {what}", path.display()));
    let octets = read(path, policy::DISPLAY_MAX).map_err(|e| match e.kind() {
        ErrorKind::DocumentTooLarge => refuse(format!("over {} octets", policy::DISPLAY_MAX)),
        _ => e,
    })?;
    String::from_utf8(octets).map_err(|e| refuse(format!("not UTF-8 at octet {}", e.utf8_error().valid_up_to())))
}
