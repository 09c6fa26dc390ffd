//! `verify` finds out by itself what a file is; what it cannot use it refuses.

use crate::payment::{desk, pay};
use crate::program::{Desk, Ran, has, root};
use crate::simulator::Bench;

fn verify(desk: &Desk, more: &[&str]) -> Ran {
    desk.shield(&[&["verify"], more, &["--trust", "shield/ca.pem"]].concat())
}

/// A desk with one of each kind.
fn signed(name: &str) -> Option<Desk> {
    let desk = desk(name, &["--algorithm", "rsa2048"])?;
    std::fs::copy(root().join("examples/data/payment179.json"), desk.path("payment.json")).unwrap();
    desk.declare(&["CEB621.xml"], &["--pin-env", "CUSTOMS_PIN"]).expect(0, &[]);
    pay(&desk, "order.p7m", &["--pin-env", "BANK_PIN"]).expect(0, &[]);
    pay(&desk, "order.p7s", &["--pin-env", "BANK_PIN", "--detached", "--pem"]).expect(0, &[]);
    let sign = ["sign-179", "payment.json", "--out", "posted.json", "--pin-env", "CUSTOMS_PIN"];
    desk.shield(&sign).expect(0, &[]);
    let raw = ["sign-raw", "--role", "bank", "order.txt", "--out", "order.sig", "--pin-env", "BANK_PIN"];
    desk.shield(&raw).expect(0, &[]);
    Some(desk)
}

#[test]
fn every_kind_of_signed_file_is_recognised_by_its_content() {
    let Some(desk) = signed("every_kind_of_signed_file") else { return };
    let all = ["signed/CEB621.xml", "order.p7m"];
    let json = verify(&desk, &[&all[..], &["--json"]].concat()).expect(0, &[]).json();
    let formats: Vec<_> = json["files"].as_array().unwrap().iter().map(|f| f["format"].as_str().unwrap()).collect();
    assert_eq!(formats, ["ceb", "cms"]);
    let format = |more: &[&str], code: i32| {
        let json = verify(&desk, &[more, &["--json"]].concat()).expect(code, &[]).json();
        json["files"][0]["format"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(format(&["posted.json", "--certificate", "shield/customs.pem"], 0), "payment179");
    assert_eq!(format(&["order.p7s", "--content", "order.txt"], 0), "cms");
    assert_eq!(format(&["order.txt", "--signature", "order.p7s"], 0), "cms");
    assert_eq!(format(&["order.txt", "--signature", "order.sig", "--certificate", "shield/bank.pem"], 0), "raw");
    // A word of the person's counts more than what the content looks like.
    assert_eq!(format(&["posted.json", "--format", "cms"], 6), "");
    let raw = ["CEB621.xml", "--signature", "order.sig", "--certificate", "shield/bank.pem", "--format", "raw"];
    assert_eq!(format(&raw, 6), "raw");
    verify(&desk, &["order.txt"]).expect(6, &["SH-4007", "--format"]);
    verify(&desk, &["order.p7m", "--role", "customs"]).expect(6, &["VF-140"]);
}

#[test]
fn an_option_that_would_be_passed_over_is_refused() {
    let Some(desk) = signed("an_option_that_would_be_passed_over") else { return };
    let bank = ["--certificate", "shield/bank.pem"];
    verify(&desk, &["posted.json"]).expect(2, &["--certificate"]);
    verify(&desk, &["order.txt", "--format", "raw", bank[0], bank[1]]).expect(2, &["--signature"]);
    verify(&desk, &["signed/CEB621.xml", bank[0], bank[1]]).expect(6, &["VF-123"]);
    verify(&desk, &["signed/CEB621.xml", "--format", "ceb", "--signature", "order.sig"]).expect(2, &["SH-9002"]);
    verify(&desk, &["signed/CEB621.xml", "--format", "ceb", "--content", "order.txt"]).expect(2, &["--content"]);
    verify(&desk, &["order.p7s", "order.p7m", "--content", "order.txt"]).expect(2, &["exactly one"]);
    verify(&desk, &["order.p7s", "--content", "order.txt", "--signature", "order.sig"]).expect(2, &["cannot be used"]);
    // The document is missing, or is there twice.
    verify(&desk, &["order.p7s"]).expect(6, &["NOT valid"]);
    verify(&desk, &["order.p7m", "--content", "order.txt"]).expect(6, &["NOT valid"]);
    verify(&desk, &["order.p7s", "--content", "missing"]).expect(7, &["SH-7001"]);
}

#[test]
fn messages_of_others_and_damaged_ones_are_judged() {
    const NAME: &str = "messages_of_others_and_damaged_ones";
    let Some(desk) = signed(NAME).filter(|_| has("openssl", NAME)) else { return };
    let vectors = root().join("tests/vectors");
    let [key, certificate] = ["synthetic_rsa_throwaway.key", "synthetic_rsa_cert.pem"].map(|n| vectors.join(n));
    let openssl = |args: &[&str]| {
        let ran = Ran::of(&desk.command("openssl").args(["cms"]).args(args).output().unwrap());
        ran.expect(0, &[]);
    };
    let (key, certificate) = (key.to_str().unwrap(), certificate.to_str().unwrap());
    let signer = ["-signer", certificate, "-inkey", key];
    let sign = ["-sign", "-binary", "-in", "order.txt"];
    openssl(&[&sign[..], &signer, &["-nodetach", "-outform", "DER", "-out", "other.p7m"]].concat());
    openssl(&[&sign[..], &signer, &["-outform", "PEM", "-out", "other.p7s"]].concat());
    let at = ["--at", "2027-01-01"];
    let ours = |more: &[&str]| desk.shield(&[&["verify"], more, &at[..]].concat());
    ours(&["other.p7m"]).expect(9, &["VF-134"]);
    ours(&["other.p7s", "--content", "order.txt"]).expect(9, &["VF-134"]);
    ours(&["other.p7s", "--content", "payment.json"]).expect(6, &["NOT valid"]);
    // SM2 in the content types of GM/T 0010, inside and beside.
    let [attached, detached, order] =
        ["synthetic_cms_attached_sm2.p7m", "synthetic_cms_detached_sm2.p7s", "synthetic_order.txt"]
            .map(|n| vectors.join(n).to_str().unwrap().to_owned());
    ours(&[&attached]).expect(9, &["VF-134"]);
    ours(&[&attached, "--json"]).expect(9, &["\"suite\": \"sm2-sm3\""]);
    ours(&[&detached, "--content", &order]).expect(9, &["VF-134"]);
    ours(&[&order, "--signature", &detached]).expect(9, &["VF-134"]);
    ours(&[&detached, "--content", "order.txt"]).expect(6, &["NOT valid", "VF-101"]);
    let whole = desk.read("order.p7m");
    desk.write("half.p7m", &whole[..whole.len() / 2]);
    verify(&desk, &["half.p7m"]).expect(6, &["SH-5010"]);
    openssl(&["-data_create", "-in", "order.txt", "-outform", "DER", "-out", "data.cms"]);
    verify(&desk, &["data.cms"]).expect(6, &["SH-5011"]);
    let second = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=Second -keyout 2.key -out 2.pem";
    assert!(desk.command("bash").args(["-c", second]).output().unwrap().status.success());
    let two = ["-signer", "2.pem", "-inkey", "2.key", "-nodetach", "-outform", "DER", "-out", "two.p7m"];
    openssl(&[&sign[..], &signer, &two].concat());
    ours(&["two.p7m"]).expect(6, &["NOT valid", "VF-306"]);
}

#[cfg(unix)]
#[test]
fn what_is_read_once_may_come_out_of_a_pipe() {
    let bench = Bench::new("what_is_read_once", &[]);
    bench.write("fields.json", r#"[["a","1"]]"#);
    bench.write("text.txt", "pay 100.00 to Synthetic Trading Co");
    let program = crate::program::built("shield").display().to_string();
    let of = |from: &str, command: &str| {
        let shield = format!("{program} --simulator desk.shield --profile shield/profile.toml");
        bench.shell(&format!("cat {from} | {shield} {command}"))
    };
    of("fields.json", "sign-ems --fields /dev/stdin --pin-env CUSTOMS_PIN").expect(0, &["signature: "]);
    let pay = "sign-payment order.txt --out order.p7m --text-file /dev/stdin --pin-env BANK_PIN";
    of("text.txt", pay).expect(0, &["pay 100.00 to"]);
    of("shield/ca.pem", "verify order.p7m --role bank --trust /dev/stdin").expect(0, &[": valid"]);
    // A document is read more than once.
    of("order.p7m", "verify /dev/stdin --role bank --trust shield/ca.pem")
        .expect(7, &["SH-7001", "save what comes out"]);
}
