//! Large documents in little memory, and documents that change while they are being signed.

#[path = "support/cms_kit.rs"]
mod cms_kit;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cms_kit::{desk, fresh, no_trust, openssl, openssl_verify, output};
use shared_shield::format::Format;
use shared_shield::format::cms::CMS;
use shared_shield::{CmsOptions, Content, Error, ErrorKind, FindingKind, Source, Verdict, policy, write_whole};

const GIB: u64 = 1024 * 1024 * 1024;
/// Set in the child of [`a_gibibyte_is_signed_and_verified_detached_in_256_mebibytes`].
const CHILD: &str = "SHARED_SHIELD_TEST_GIBIBYTE";

/// A file of one GiB that takes no room on the disk: zeros between two words.
fn gibibyte() -> std::path::PathBuf {
    use std::os::unix::fs::FileExt;
    let path = fresh("gib");
    let file = File::create(&path).unwrap();
    file.write_all_at(b"begin", 0).unwrap();
    file.write_all_at(b"end", GIB - 3).unwrap();
    path
}

/// Signs and verifies, in a process that may not have more than 256 MiB of address space.
fn child(document: &Path) {
    let identity = &desk().p256;
    let message = identity.sign(CmsOptions::detached(), &Content::file(document)).unwrap();
    fs::write(document.with_extension("p7s"), &message).unwrap();
    let report = CMS.verify(&Content::file(document), Some(&message), &no_trust()).unwrap();
    assert_eq!(report.verdict(), Verdict::SignatureOnly, "{:?}", report.findings);
    fs::copy(&desk().authority, document.with_extension("ca")).unwrap();

    // Attached, a document larger than all the memory there is.
    let large = Content::Source(Arc::new(Zeros(300 * 1024 * 1024)));
    let prepared = identity.prepare(CmsOptions::attached(), &large).unwrap();
    let signature = identity.sign_digest(prepared.tbs.digest.octets());
    let mut ends = Ends::default();
    prepared.finish(&signature, &mut ends).unwrap();
    let message = Content::Source(Arc::new(ends));
    let report = CMS.verify(&message, None, &no_trust()).unwrap();
    assert_eq!(report.verdict(), Verdict::SignatureOnly, "{:?}", report.findings);
}

/// A document of zeros.
struct Zeros(u64);

impl Source for Zeros {
    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(io::repeat(0).take(self.0)))
    }

    fn len(&self) -> Option<u64> {
        Some(self.0)
    }
}

/// A message with zeros in its middle, of which both ends are kept.
#[derive(Default)]
struct Ends {
    first: Vec<u8>,
    last: Vec<u8>,
    between: u64,
}

const END: usize = 4096;

impl Write for Ends {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let first = octets.len().min(END - self.first.len());
        self.first.extend_from_slice(&octets[..first]);
        self.last.extend_from_slice(&octets[first..]);
        let over = self.last.len().saturating_sub(END);
        assert!(self.last.drain(..over).all(|octet| octet == 0));
        self.between += over as u64;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Ends {
    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        let zeros = io::repeat(0).take(self.between);
        Ok(Box::new(self.first.as_slice().chain(zeros).chain(self.last.as_slice())))
    }

    fn len(&self) -> Option<u64> {
        None
    }
}

#[test]
fn a_gibibyte_is_signed_and_verified_detached_in_256_mebibytes() {
    if let Some(document) = std::env::var_os(CHILD) {
        return child(Path::new(&document));
    }
    let document = gibibyte();
    let this = "a_gibibyte_is_signed_and_verified_detached_in_256_mebibytes";
    let mut command = Command::new("prlimit");
    command.arg("--as=268435456").arg(std::env::current_exe().unwrap());
    let output = output(command.args(["--exact", this, "--test-threads=1", "--nocapture"]).env(CHILD, &document));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");

    let (message, authority) = (document.with_extension("p7s"), document.with_extension("ca"));
    let judge = |document: &Path| {
        let mut command = openssl(&desk().folder);
        command
            .args(["cms", "-verify", "-binary", "-cades", "-inform", "DER", "-out", "/dev/null", "-in"])
            .arg(&message);
        cms_kit::output(command.arg("-CAfile").arg(&authority).arg("-content").arg(document)).status.success()
    };
    assert!(judge(&document));
    use std::os::unix::fs::FileExt;
    File::options().write(true).open(&document).unwrap().write_all_at(b"X", GIB / 2).unwrap();
    assert!(!judge(&document), "one octet in the middle was changed");
    for path in [document, message, authority] {
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn an_attached_document_larger_than_the_memory_for_it_is_written_whole() {
    let identity = &desk().rsa;
    let document: Vec<u8> = (0..policy::CMS_HELD_MAX * 3 + 17).map(|i| u8::try_from(i % 251).unwrap()).collect();
    for options in [CmsOptions::attached(), CmsOptions::attached().pem(), CmsOptions::attached().without_attributes()] {
        let message = identity.sign(options, &Content::bytes(document.as_slice())).unwrap();
        assert!(openssl_verify(&message, None, &[]).unwrap() == document, "{options:?}");
        let report = cms_kit::verify(&message).unwrap();
        assert_eq!(report.verdict(), Verdict::SignatureOnly, "{options:?} {:?}", report.findings);
        let mut content = Vec::new();
        let length = shared_shield::format::cms::content(&Content::bytes(message), &mut content).unwrap();
        assert!(content == document && length == document.len() as u64);
    }
}

#[test]
fn lengths_at_each_boundary_of_der_are_right() {
    let identity = &desk().rsa;
    for length in [0_usize, 1, 127, 128, 255, 256, 65_535, 65_536] {
        let document = vec![b'x'; length];
        let message = identity.sign(CmsOptions::attached(), &Content::bytes(document.as_slice())).unwrap();
        assert!(openssl_verify(&message, None, &["-cades"]).unwrap() == document, "{length}");
        assert_eq!(cms_kit::verify(&message).unwrap().verdict(), Verdict::SignatureOnly, "{length}");
    }
}

/// A document that is another one at each opening.
struct Shifting {
    readings: Vec<Vec<u8>>,
    opened: AtomicUsize,
    tells_length: bool,
}

impl Shifting {
    fn content(readings: &[&[u8]], tells_length: bool) -> Content {
        let readings = readings.iter().map(|r| r.to_vec()).collect();
        Content::Source(Arc::new(Shifting { readings, opened: AtomicUsize::new(0), tells_length }))
    }
}

impl Source for Shifting {
    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        let turn = self.opened.fetch_add(1, Ordering::SeqCst).min(self.readings.len() - 1);
        Ok(Box::new(self.readings[turn].as_slice()))
    }

    fn len(&self) -> Option<u64> {
        let turn = self.opened.load(Ordering::SeqCst).min(self.readings.len() - 1);
        self.tells_length.then_some(self.readings[turn].len() as u64)
    }
}

fn all_options() -> [CmsOptions; 6] {
    let (attached, detached) = (CmsOptions::attached(), CmsOptions::detached());
    [attached, attached.pem(), attached.without_attributes(), detached, detached.pem(), detached.without_attributes()]
}

#[test]
fn a_document_that_changes_while_it_is_signed_is_refused_and_no_file_appears() {
    let identity = &desk().rsa;
    let small = b"order 1234".to_vec();
    let large = vec![b'x'; usize::try_from(policy::CMS_HELD_MAX).unwrap() + 100_000];
    let path = fresh("signed");
    for first in [&small, &large] {
        let other = cms_kit::changed(first, first.len() / 2);
        let longer = [first.as_slice(), b"y"].concat();
        let shorter = &first[..first.len() - 1];
        for second in [other.as_slice(), &longer, shorter, &[]] {
            for tells_length in [true, false] {
                for options in all_options() {
                    let content = Shifting::content(&[first, second], tells_length);
                    let prepared = identity.prepare(options, &content).unwrap();
                    let signature = identity.sign_digest(prepared.tbs.digest.octets());
                    let refused = write_whole(&path, |out| prepared.finish(&signature, out)).unwrap_err();
                    assert_eq!(refused.kind(), ErrorKind::DocumentChanged, "{options:?}");
                    assert!(!path.exists());
                    // Nothing at all is written where the document is small or outside.
                    let content = Shifting::content(&[first, second], tells_length);
                    let prepared = identity.prepare(options, &content).unwrap();
                    let mut out = Vec::new();
                    prepared.finish(&signature, &mut out).unwrap_err();
                    let streamed = *first == large && options.format().verify_needs_end(&out);
                    assert!(out.is_empty() || streamed, "{options:?} wrote {} octets", out.len());
                }
            }
        }
    }
    let left: Vec<_> = fs::read_dir(&desk().folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|n| !n.to_string_lossy().ends_with(".part")), "{left:?}");
    // The same source, unchanged, is signed.
    let content = Shifting::content(&[&large], false);
    identity.sign(CmsOptions::attached(), &content).unwrap();
}

/// What was written before a change was seen is no message.
trait NoMessage {
    fn verify_needs_end(&self, written: &[u8]) -> bool;
}

impl NoMessage for shared_shield::format::cms::Cms {
    fn verify_needs_end(&self, written: &[u8]) -> bool {
        let refused = self.verify(&Content::bytes(written), None, &no_trust()).map(|r| r.verdict());
        !matches!(refused, Ok(Verdict::Valid | Verdict::SignatureOnly))
    }
}

#[test]
fn a_file_rewritten_between_preparing_and_finishing_is_refused() {
    let identity = &desk().rsa;
    for options in all_options() {
        let (document, signed) = (cms_kit::file(b"order 1"), fresh("signed"));
        let prepared = identity.prepare(options, &Content::file(&document)).unwrap();
        let signature = identity.sign_digest(prepared.tbs.digest.octets());
        fs::write(&document, b"order 2").unwrap();
        let refused = write_whole(&signed, |out| prepared.finish(&signature, out)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::DocumentChanged);
        assert!(refused.to_string().contains("nothing was written"), "{refused}");

        let prepared = identity.prepare(options, &Content::file(&document)).unwrap();
        fs::remove_file(&document).unwrap();
        let refused = write_whole(&signed, |out| prepared.finish(&signature, out)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InputFailed, "{refused}");
        assert!(!signed.exists());
    }
}

#[test]
fn a_full_disk_is_told_as_such_and_leaves_no_file() {
    let identity = &desk().rsa;
    let small = Content::bytes(*b"order");
    let large = Content::bytes(vec![b'x'; usize::try_from(policy::CMS_HELD_MAX).unwrap() + 1]);
    for (content, options) in all_options().into_iter().flat_map(|o| [(&small, o), (&large, o)]) {
        let prepared = identity.prepare(options, content).unwrap();
        let signature = identity.sign_digest(prepared.tbs.digest.octets());
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        let refused = prepared.finish(&signature, &mut full).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::OutputFailed, "{options:?}");
        assert!(refused.raw_status().is_some_and(|s| s.to_string().contains("No space left")), "{refused}");
    }
    let nowhere = desk().folder.join("no such folder").join("signed");
    let prepared = identity.prepare(CmsOptions::attached(), &small).unwrap();
    let signature = identity.sign_digest(prepared.tbs.digest.octets());
    let refused = write_whole(&nowhere, |out| prepared.finish(&signature, out)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::OutputFailed);
}

#[test]
fn a_disk_that_fills_up_while_a_file_is_written_leaves_the_old_file() {
    // A file system of 64 KiB would need rights that tests do not have: the limit on file size stops the same write.
    if let Some(path) = std::env::var_os("SHARED_SHIELD_TEST_FULL") {
        let content = Content::bytes(vec![b'x'; 300_000]);
        let identity = &desk().rsa;
        let prepared = identity.prepare(CmsOptions::attached(), &content).unwrap();
        let signature = identity.sign_digest(prepared.tbs.digest.octets());
        let refused = write_whole(Path::new(&path), |out| prepared.finish(&signature, out)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::OutputFailed, "{refused}");
        return;
    }
    let folder = fresh("folder");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("signed.p7m");
    fs::write(&path, b"old").unwrap();
    let mut command = Command::new("sh");
    // SIGXFSZ has to be ignored for the write to fail as it does on a full disk; ignored signals are inherited.
    command.arg("-c").arg("trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\"").arg(std::env::current_exe().unwrap());
    command.args(["--exact", "a_disk_that_fills_up_while_a_file_is_written_leaves_the_old_file", "--nocapture"]);
    let output = output(command.env("SHARED_SHIELD_TEST_FULL", &path).arg0("sh"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "a part was left");
}

#[test]
fn a_document_over_the_bound_is_refused_attached_before_anything_is_signed() {
    struct Endless;
    impl Source for Endless {
        fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
            Ok(Box::new(io::repeat(0).take(policy::CMS_ATTACHED_MAX + 1)))
        }
        fn len(&self) -> Option<u64> {
            None
        }
    }
    let refused = desk().p256.prepare(CmsOptions::attached(), &Content::Source(Arc::new(Endless))).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::DocumentTooLarge, "{refused}");
    assert!(refused.to_string().contains("sign it detached"), "{refused}");
}

#[test]
fn a_source_that_fails_to_read_is_told_as_such() {
    struct Broken;
    impl Source for Broken {
        fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
            struct Fails(u8);
            impl Read for Fails {
                fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                    self.0 += 1;
                    match self.0 {
                        1 => Err(io::ErrorKind::Interrupted.into()),
                        2 => (&b"some"[..]).read(into),
                        _ => Err(io::Error::other("medium error")),
                    }
                }
            }
            Ok(Box::new(Fails(0)))
        }
        fn len(&self) -> Option<u64> {
            None
        }
    }
    let content = Content::Source(Arc::new(Broken));
    let failed = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::InputFailed, "{error}");
        assert!(error.to_string().contains("medium error"), "{error}");
    };
    failed(desk().p256.prepare(CmsOptions::detached(), &content).unwrap_err());
    failed(CMS.verify(&content, None, &no_trust()).unwrap_err());
    let message = desk().p256.sign(CmsOptions::detached(), &Content::bytes(*b"x")).unwrap();
    failed(CMS.verify(&content, Some(&message), &no_trust()).unwrap_err());
    let report = CMS.verify(&Content::bytes(*b"y"), Some(&message), &no_trust()).unwrap();
    assert!(report.has(FindingKind::DigestWrong));
}
