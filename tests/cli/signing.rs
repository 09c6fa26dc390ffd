//! Batches and single signatures: what is written, what is left alone.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::program::{CUSTOMS_PIN, Desk, Ran, built, changed, has};

const PIN: [&str; 2] = ["--pin-env", "CUSTOMS_PIN"];
/// Where a PIN that is asked for would show: it is wrong.
const NOT_ASKED: [&str; 2] = ["--pin-env", "WRONG_PIN"];

#[test]
fn one_entry_signs_many_documents_and_each_has_its_receipt() {
    let Some(desk) = Desk::new("one_entry_signs_many_documents", &[]) else { return };
    let ran = desk.declare(&["CEB621.xml", "CEB311.xml"], &PIN).expect(0, &["2 signed, 0 done before, 0 refused"]);
    let receipts: Vec<_> = ran.out.lines().filter(|l| l.starts_with("signed ")).collect();
    assert_eq!(receipts.len(), 2, "{}", ran.out);
    assert!(
        receipts.iter().all(|r| r.contains("customs certificate") && r.contains("ecdsa-p256-sha256")),
        "{receipts:?}"
    );
    assert!(receipts.iter().all(|r| r.contains("made under a test profile")), "{receipts:?}");
    assert!(ran.err.is_empty(), "a progress bar where there is no terminal: {}", ran.err);
    assert_eq!(desk.names("signed"), ["CEB311.xml", "CEB621.xml"]);
    let profile = ["verify", "signed/CEB621.xml", "signed/CEB311.xml", "--trust", "shield/ca.pem", "--role", "customs"];
    desk.shield(&profile).expect(0, &["CEB621.xml: valid", "CEB311.xml: valid"]);
}

#[test]
fn a_rerun_skips_what_is_done_and_asks_for_no_pin() {
    let Some(desk) = Desk::new("a_rerun_skips_what_is_done", &[]) else { return };
    desk.declare(&["CEB621.xml", "CEB311.xml"], &PIN).expect(0, &["2 signed"]);
    let first = desk.read("signed/CEB621.xml");
    desk.declare(&["CEB621.xml", "CEB311.xml"], &NOT_ASKED).expect(0, &["0 signed, 2 done before, 0 refused"]);
    assert_eq!(desk.read("signed/CEB621.xml"), first);
    fs::remove_file(desk.path("signed/CEB311.xml")).unwrap();
    desk.declare(&["CEB621.xml", "CEB311.xml"], &PIN).expect(0, &["1 signed, 1 done before"]);
    assert_eq!(desk.read("signed/CEB621.xml"), first);
}

#[test]
fn an_output_that_is_something_else_is_left_as_it_is_unless_told() {
    let Some(desk) = Desk::new("an_output_that_is_something_else", &[]) else { return };
    desk.declare(&["CEB621.xml", "CEB311.xml"], &PIN).expect(0, &[]);
    // A signature that does not hold any more.
    let damaged = changed(&desk.read("signed/CEB621.xml"), "<ds:SignatureValue>");
    desk.write("signed/CEB621.xml", &damaged);
    desk.declare(&["CEB621.xml", "CEB311.xml"], &NOT_ASKED)
        .expect(1, &["its signature is not right", "1 done before, 1 refused"]);
    assert_eq!(desk.read("signed/CEB621.xml"), damaged);
    // The document has changed since: a good signature over the old one is not this one's.
    desk.declare(&["CEB621.xml"], &[PIN[0], PIN[1], "--overwrite"]).expect(0, &["1 signed"]);
    let signed = desk.read("signed/CEB621.xml");
    let newer = changed(&desk.read("CEB621.xml"), "<ceb:appTime>");
    desk.write("CEB621.xml", newer);
    desk.declare(&["CEB621.xml"], &NOT_ASKED).expect(7, &["is not this document with a signature", "--overwrite"]);
    assert_eq!(desk.read("signed/CEB621.xml"), signed);
}

#[test]
fn a_bad_document_does_not_stop_the_others() {
    let Some(desk) = Desk::new("a_bad_document_does_not_stop_the_others", &[]) else { return };
    desk.write("half.xml", &desk.read("CEB621.xml")[..400]);
    let text = String::from_utf8(desk.read("CEB621.xml")).unwrap();
    desk.write(
        "dtd.xml",
        text.replacen("<ceb:CEB621Message", "<!DOCTYPE x [<!ENTITY e \"f\">]>\n<ceb:CEB621Message", 1),
    );
    desk.write("other.xml", "<invoice/>");
    let files = ["half.xml", "CEB621.xml", "dtd.xml", "other.xml", "missing.xml", "CEB311.xml"];
    let words = ["SH-4001", "SH-4002", "SH-4007", "SH-7001", "2 signed, 0 done before, 4 refused, 0 not tried"];
    desk.declare(&files, &PIN).expect(1, &words);
    assert_eq!(desk.names("signed"), ["CEB311.xml", "CEB621.xml"]);
    desk.write("signed.xml", desk.read("signed/CEB621.xml"));
    desk.declare(&["signed.xml"], &NOT_ASKED).expect(6, &["SH-4006"]);
}

#[cfg(unix)]
#[test]
fn what_another_process_does_while_a_person_types_does_not_stop_the_other_documents() {
    let Some(desk) = Desk::new("while_a_person_types", &[]) else { return };
    desk.write("taken.xml", changed(&desk.read("CEB621.xml"), "<ceb:appTime>"));
    let args = ["sign-declaration", "--out-dir", "signed", "CEB621.xml", "taken.xml", "CEB311.xml", "--pin-fd", "0"];
    let mut program = desk.command(built("shield"));
    program.args(desk.arguments(&args)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    // The folder is made when every document was looked at; then the program waits for the PIN.
    let patience = std::time::Instant::now();
    while !desk.path("signed").exists() {
        assert!(patience.elapsed() < std::time::Duration::from_secs(60) && child.try_wait().unwrap().is_none());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    fs::remove_file(desk.path("CEB621.xml")).unwrap();
    desk.write("signed/taken.xml", "another process's");
    writeln!(child.stdin.take().unwrap(), "{CUSTOMS_PIN}").unwrap();
    let ran = Ran::of(&child.wait_with_output().unwrap());
    let left = "refused signed/taken.xml: it exists and was left as it is";
    let gone = ["refused CEB621.xml", "SH-7001", left, "signed signed/CEB311.xml"];
    ran.expect(1, &gone).expect(1, &["1 signed, 0 done before, 2 refused"]);
    assert_eq!(desk.read("signed/taken.xml"), b"another process's");
    assert_eq!(desk.names("signed"), ["CEB311.xml", "taken.xml"]);
}

#[test]
fn a_refused_pin_stops_everything_and_is_not_sent_again() {
    let Some(desk) = Desk::new("a_refused_pin_stops_everything", &[]) else { return };
    let stopped = ["SH-2001", "0 signed, 0 done before, 0 refused, 2 not tried"];
    desk.declare(&["CEB621.xml", "CEB311.xml"], &["--pin-env", "WRONG_PIN"]).expect(4, &stopped);
    assert!(desk.names("signed").is_empty());
    // SoftHSM does not tell how many tries are left: even the right PIN needs a word.
    desk.declare(&["CEB621.xml"], &PIN).expect(4, &["SH-200B"]);
    desk.declare(&["CEB621.xml"], &[PIN[0], PIN[1], "--try-again"]).expect(0, &["1 signed"]);
    desk.declare(&["CEB311.xml"], &PIN).expect(0, &["1 signed"]);
}

#[test]
fn a_full_disk_leaves_the_old_file_whole() {
    let Some(desk) = Desk::new("a_full_disk_leaves_the_old_file_whole", &[]) else { return };
    fs::create_dir(desk.path("signed")).unwrap();
    desk.write("signed/CEB621.xml", "what was there before");
    // No file may grow beyond 2 KiB: writing fails in the middle, as on a full disk. The signal that the system would send is
    // ignored, so that the program sees the error. (Rights would not do: the test may run as root.)
    let args = ["sign-declaration", "CEB621.xml", "--out-dir", "signed", "--overwrite", "--pin-env", "CUSTOMS_PIN"];
    let mut command = desk.command("bash");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" \"$@\""])
        .arg(built("shield"))
        .args(desk.arguments(&args));
    Ran::of(&command.output().unwrap()).expect(7, &["SH-7002", "File too large", "what was there before is untouched"]);
    assert_eq!(desk.read("signed/CEB621.xml"), b"what was there before");
    assert_eq!(desk.names("signed"), ["CEB621.xml"], "a part of the new file is left");
    // A folder that cannot be there.
    desk.write("file", "x");
    let args = ["sign-declaration", "CEB621.xml", "--out-dir", "file", "--pin-env", "CUSTOMS_PIN"];
    desk.shield(&args).expect(7, &["SH-7002"]);
    assert_eq!(desk.read("file"), b"x");
}

#[test]
fn no_document_is_replaced_by_its_own_output_and_no_output_is_written_twice() {
    let Some(desk) = Desk::new("no_document_is_replaced", &[]) else { return };
    let before = desk.read("CEB621.xml");
    let here = ["sign-declaration", "CEB621.xml", "--out-dir", ".", "--overwrite", "--pin-env", "CUSTOMS_PIN"];
    desk.shield(&here).expect(2, &["SH-9002", "its own output"]);
    assert_eq!(desk.read("CEB621.xml"), before);
    fs::create_dir(desk.path("more")).unwrap();
    fs::copy(desk.path("CEB311.xml"), desk.path("more/CEB621.xml")).unwrap();
    desk.declare(&["CEB621.xml", "more/CEB621.xml"], &PIN).expect(2, &["same output"]);
    assert!(desk.names("signed").is_empty());
    let over = ["--overwrite", NOT_ASKED[0], NOT_ASKED[1]];
    // An input that is a link to the output of another one.
    #[cfg(unix)]
    {
        desk.declare(&["CEB311.xml"], &PIN).expect(0, &["1 signed"]);
        let signed = desk.read("signed/CEB311.xml");
        std::os::unix::fs::symlink("signed/CEB311.xml", desk.path("link.xml")).unwrap();
        desk.declare(&["CEB311.xml", "link.xml"], &over)
            .expect(2, &["link.xml: would be replaced by the output of CEB311.xml"]);
        assert_eq!(desk.read("signed/CEB311.xml"), signed);
    }
    // What the program itself reads.
    let profile = desk.read("shield/profile.toml");
    fs::copy(desk.path("CEB621.xml"), desk.path("more/profile.toml")).unwrap();
    let declare = ["sign-declaration", "more/profile.toml", "--out-dir", "shield"];
    desk.shield(&[&declare[..], &over].concat()).expect(2, &["SH-9002", "which this command reads"]);
    let raw = ["sign-raw", "--role", "bank", "CEB621.xml", "--out", "shield/profile.toml"];
    desk.shield(&[&raw[..], &over].concat()).expect(2, &["SH-9002", "which this command reads"]);
    assert_eq!(desk.read("shield/profile.toml"), profile);
}

#[test]
fn the_bank_signs_raw_data_and_openssl_accepts_it() {
    const NAME: &str = "the_bank_signs_raw_data";
    let Some(desk) = Desk::new(NAME, &[]).filter(|_| has("openssl", NAME)) else { return };
    desk.write("order.txt", "pay 100.00");
    desk.write("other.txt", "pay 900.00");
    let sign = ["sign-raw", "--role", "bank", "order.txt", "--out", "order.sig", "--pin-env"];
    desk.shield(&[&sign[..], &["CUSTOMS_PIN"]].concat()).expect(4, &["bank PIN is wrong", "SH-2001"]);
    assert!(!desk.path("order.sig").exists());
    desk.shield(&[&sign[..], &["BANK_PIN", "--try-again"]].concat()).expect(0, &["bank certificate"]);
    let key = ["-c", "openssl x509 -in shield/bank.pem -noout -pubkey > bank.pub"];
    assert!(desk.command("bash").args(key).status().unwrap().success());
    let judge = |file| {
        let args = ["dgst", "-sha256", "-verify", "bank.pub", "-signature", "order.sig", file];
        desk.command("openssl").args(args).output().unwrap().status.success()
    };
    assert!(judge("order.txt"));
    assert!(!judge("other.txt"));
    // The signature is not replaced without a word, and never the document.
    let old = desk.read("order.sig");
    desk.shield(&[&sign[..], &["BANK_PIN"]].concat()).expect(7, &["SH-7002", "--overwrite"]);
    assert_eq!(desk.read("order.sig"), old);
    let over =
        ["sign-raw", "--role", "bank", "order.txt", "--out", "order.txt", "--overwrite", "--pin-env", "BANK_PIN"];
    desk.shield(&over).expect(2, &["SH-9002"]);
    assert_eq!(desk.read("order.txt"), b"pay 100.00");
}
