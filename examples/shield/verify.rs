//! `verify`: a report for each document.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};
use shared_shield::format::login::{Challenge, MAX_OCTETS, SIGNATURE_OUT as LOGIN};
use shared_shield::format::payment179::VALUE_OUT;
use shared_shield::format::{Format, ceb::CEB, cms::CMS, raw::RAW};
use shared_shield::{
    Certificate, Content, Crl, Error, ErrorKind, FileSource, Finding, FindingKind, Report, Result, Role, Source, Store,
    Trust, Verdict, VerifyContext, policy,
};

use crate::args::{FormatName, Global};
use crate::args_verify::Verify;
use crate::exit::Exit;
use crate::explain;
use crate::reach;
use crate::recognise::recognise;
use crate::screen::{Screen, clean};
use crate::words;

/// How a report is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// One line for each finding.
    Lines,
    /// With what was expected, found, where, and what to do.
    Explained,
}

pub(crate) fn run(global: &Global, args: &Verify, style: Style, screen: &Screen) -> Result<Exit> {
    let context = context(global, args)?;
    for (given, option) in [(&args.signature, "--signature"), (&args.content, "--content")] {
        if given.is_some() && args.files.len() != 1 {
            return Err(refused(&format!("{option} belongs to exactly one FILE")));
        }
    }
    let signature = args.signature.as_deref().map(|p| read(p, policy::CMS_MEMORY_MAX)).transpose()?;
    let mut exits = Vec::new();
    let mut reports = Vec::new();
    for file in &args.files {
        let report = judge(file, args, signature.as_deref(), &context);
        exits.push(exit(&report));
        if args.json {
            reports.push(to_json(file, &report, &context));
        } else {
            print(file, &report, &context, style, screen);
        }
    }
    let worst = worst(&exits);
    if args.json {
        screen.json(&json!({ "files": reports, "exit": worst as u8 }));
    }
    Ok(worst)
}

fn refused(why: &str) -> Error {
    Error::new(ErrorKind::Argument, "verify").detail(why.to_owned())
}

fn judge(file: &Path, args: &Verify, signature: Option<&[u8]>, context: &VerifyContext) -> Result<Report> {
    let format = match args.format {
        FormatName::Auto if args.content.is_some() => FormatName::Cms,
        FormatName::Auto if args.challenge_base64 => FormatName::Login,
        FormatName::Auto => recognise(file, signature)?,
        named => named,
    };
    check(format, args, signature)?;
    let content = if args.challenge_base64 { challenge(file)? } else { Content::file(file) };
    match format {
        FormatName::Cms => match &args.content {
            Some(document) => CMS.verify(&Content::file(document), Some(&read(file, policy::CMS_MEMORY_MAX)?), context),
            None => CMS.verify(&content, signature, context),
        },
        FormatName::Payment179 => VALUE_OUT.verify(&content, signature, context),
        FormatName::Login => login(&content, signature, context),
        FormatName::Raw => RAW.verify(&content, signature, context),
        FormatName::Auto | FormatName::Ceb => CEB.verify(&content, None, context),
    }
}

/// An option that would be passed over without a word is refused.
fn check(format: FormatName, args: &Verify, signature: Option<&[u8]>) -> Result<()> {
    use FormatName::{Ceb, Cms, Login, Payment179, Raw};
    if args.content.is_some() && format != Cms {
        return Err(refused("--content belongs to a detached CMS message"));
    }
    if args.challenge_base64 && format != Login {
        return Err(refused("--challenge-base64 belongs to a login"));
    }
    if matches!(format, Payment179 | Login | Raw) && args.certificate.is_none() {
        return Err(refused("the signer's certificate does not stand in it: give --certificate"));
    }
    if matches!(format, Login | Raw) && signature.is_none() {
        return Err(refused("the signature does not stand in it: give --signature"));
    }
    if format == Ceb && signature.is_some() {
        return Err(refused("a customs message carries its signature"));
    }
    if format != Cms && signature.is_some_and(|s| s.len() > policy::SIGNATURE_MAX * 2) {
        return Err(Error::new(ErrorKind::SignatureMalformed, "verify").detail("--signature: too long for a signature"));
    }
    Ok(())
}

/// What a file with base64 text stands for; whether that is a challenge, the report says.
fn challenge(file: &Path) -> Result<Content> {
    // Base64 is longer by a third, and lines have ends.
    let text = read(file, MAX_OCTETS * 2)?;
    Challenge::Base64(&String::from_utf8_lossy(&text)).decoded().map(Content::bytes).map_err(|e| named(e, file))
}

/// A login with its signature value as it is, or out of what the login page posts.
fn login(content: &Content, signature: Option<&[u8]>, context: &VerifyContext) -> Result<Report> {
    let Some(posted) = signature.filter(|s| s.trim_ascii_start().starts_with(b"{")) else {
        return LOGIN.verify(content, signature, context);
    };
    let bad = |what: &str| Error::new(ErrorKind::SignatureMalformed, "verify login").detail(what.to_owned());
    let posted: Value = serde_json::from_slice(posted).map_err(|e| bad(&e.to_string()))?;
    let text = |name: &str| posted.get(name).and_then(Value::as_str).ok_or_else(|| bad(&format!("no text {name}")));
    let (number, value) = (text("certNo")?, text("signData")?);
    let own = context.certificate.as_ref().map(|c| c.number()).unwrap_or_default();
    if !number.eq_ignore_ascii_case(&own) {
        return Err(bad(&format!("certNo is {}, the certificate's is {own}", clean(number))));
    }
    let mut report = LOGIN.verify(content, Some(value.as_bytes()), context)?;
    if number != own {
        report.add(Finding::new(FindingKind::NumberCase).compared(own, clean(number)));
    }
    Ok(report)
}

fn context(global: &Global, args: &Verify) -> Result<VerifyContext> {
    let trust = if !args.trust.is_empty() {
        let all = |paths: &[PathBuf]| -> Result<Vec<Arc<Certificate>>> {
            let each = paths.iter().map(|path| certificates(path)).collect::<Result<Vec<_>>>()?;
            Ok(each.into_iter().flatten().collect())
        };
        let mut crls = Vec::new();
        for path in &args.crl {
            let read = Crl::all_from(&read(path, policy::CRL_MAX)?).map_err(|e| named(e, path))?;
            crls.extend(read.into_iter().map(Arc::new));
        }
        Trust::Store(Arc::new(Store::new(all(&args.trust)?).between(all(&args.intermediate)?).crls(crls)))
    } else if !args.pin_fingerprint.is_empty() {
        Trust::Pinned(args.pin_fingerprint.clone())
    } else {
        Trust::None
    };
    let certificate = args.certificate.as_deref().map(certificates).transpose()?.and_then(|c| c.into_iter().next());
    Ok(VerifyContext {
        trust,
        role: args.role.map(Role::from),
        profile: reach::profile(global)?,
        at: args.at.unwrap_or_else(SystemTime::now),
        certificate,
        sm2_id: shared_shield::Sm2Id::default(),
    })
}

/// The certificates of a file: PEM with any number of them, or DER with one.
fn certificates(path: &Path) -> Result<Vec<Arc<Certificate>>> {
    let octets = read(path, policy::PEM_MAX)?;
    Ok(Certificate::all_from(&octets).map_err(|e| named(e, path))?.into_iter().map(Arc::new).collect())
}

/// The error with the file that it is about.
fn named(error: Error, path: &Path) -> Error {
    let what = error.what().map(|w| format!(": {w}")).unwrap_or_default();
    error.detail(format!("{}{what}", path.display()))
}

/// A whole file, at most `cap` octets. It is read once, so it may be a pipe.
pub(crate) fn read(path: &Path, cap: usize) -> Result<Vec<u8>> {
    let octets = first(path, cap.saturating_add(1), |path| Ok(Box::new(File::open(path)?)))?;
    if octets.len() > cap {
        return Err(Error::new(ErrorKind::DocumentTooLarge, "read file").detail(path.display().to_string()));
    }
    Ok(octets)
}

/// The first octets of a document that is read once more afterwards: only of an ordinary file.
pub(crate) fn start(path: &Path, most: usize) -> Result<Vec<u8>> {
    let source = FileSource(path.to_owned());
    first(path, most, |_| source.open())
}

fn first<'o>(
    path: &Path,
    most: usize,
    open: impl FnOnce(&Path) -> io::Result<Box<dyn Read + Send + 'o>>,
) -> Result<Vec<u8>> {
    let failed = |e| Error::new(ErrorKind::InputFailed, "read file").io(&e).detail(path.display().to_string());
    let mut octets = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    open(path).map_err(failed)?.take(limit).read_to_end(&mut octets).map_err(failed)?;
    Ok(octets)
}

fn exit(report: &Result<Report>) -> Exit {
    match report.as_ref().map(Report::verdict) {
        Ok(Verdict::Valid) => Exit::Done,
        Ok(Verdict::SignatureOnly) => Exit::Untrusted,
        Ok(_) => Exit::Document,
        Err(error) => error.into(),
    }
}

/// A negative verdict outweighs everything; then what could not be read; then missing trust.
fn worst(exits: &[Exit]) -> Exit {
    let met = |wanted: &dyn Fn(&Exit) -> bool| exits.iter().copied().find(|e| wanted(e));
    met(&|e| *e == Exit::Document)
        .or_else(|| met(&|e| !matches!(e, Exit::Done | Exit::Untrusted)))
        .or_else(|| met(&|e| *e == Exit::Untrusted))
        .unwrap_or(Exit::Done)
}

fn verdict_words(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Valid => ("valid", "有效"),
        Verdict::SignatureOnly => {
            ("the signature is right, nothing is said of who signed", "签名正确，但未确认签名人身份")
        }
        _ => ("NOT valid", "无效"),
    }
}

fn print(file: &Path, report: &Result<Report>, context: &VerifyContext, style: Style, screen: &Screen) {
    let lang = screen.lang;
    let name = clean(&file.display().to_string());
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            screen.line(format!("{name}: {}", lang.pick("could not be judged", "无法判断")));
            screen.error(error);
            return;
        }
    };
    let (en, zh) = verdict_words(report.verdict());
    screen.line(format!("{name}: {}", lang.pick(en, zh)));
    match style {
        Style::Explained => explain::print(file, report, screen),
        Style::Lines => report.findings.iter().for_each(|finding| {
            screen.line(format!("  {} {}", words::weight(finding, lang), clean(&finding.line(lang.language()))));
        }),
    }
    if let Some(signer) = &report.signer {
        let role = context.profile.role_of(signer).map_or("-", |r| lang.role(r));
        screen.line(format!(
            "  {} {}, {} {role}, SHA-256 {}",
            lang.pick("signed by", "签名证书"),
            words::named(signer, lang),
            lang.pick("role", "角色"),
            signer.fingerprint()
        ));
    }
}

/// The library's JSON, with the file's name and the signer's role.
fn to_json(file: &Path, report: &Result<Report>, context: &VerifyContext) -> Value {
    let name = file.display().to_string();
    let report = match report {
        Ok(report) => report,
        Err(error) => return json!({ "file": name, "verdict": "unreadable", "error": words::error_json(error) }),
    };
    let mut told: Value = serde_json::from_str(&report.json()).unwrap_or_default();
    told["file"] = name.into();
    if let Some(signer) = &report.signer {
        told["signer"]["role"] = context.profile.role_of(signer).ok().map(Role::name).into();
    }
    told
}
