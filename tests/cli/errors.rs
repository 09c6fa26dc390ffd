//! Exit codes and words when something is wrong; lists for people and for programs.

use std::process::Stdio;

use crate::program::{Desk, Ran, built, root};

#[test]
fn each_kind_of_trouble_has_its_own_exit_code() {
    let Some(desk) = Desk::new("each_kind_of_trouble", &[]) else { return };
    let run = |args: &[&str]| Ran::of(&desk.command(built("shield")).args(args).output().unwrap());
    run(&["list", "--no-readers"]).expect(2, &["--module"]);
    run(&["list"]).expect(3, &["SH-1020", "start the smart-card service", "--module"]);
    run(&["frobnicate"]).expect(2, &["unrecognized subcommand"]);
    run(&["list", "--module", "relative.so"]).expect(2, &["SH-1016"]);
    run(&["list", "--module", "/no/such/module.so"]).expect(3, &["SH-1010", "/no/such/module.so"]);
    let text = desk.path("CEB621.xml");
    run(&["list", "--module", text.to_str().unwrap()]).expect(3, &["SH-1011"]);
    run(&["list", "--module", &desk.module, "--profile", "missing.toml"]).expect(7, &["SH-7001"]);
    desk.write("bad.toml", "schema = 1\nunheard_of = 2\n");
    run(&["list", "--module", &desk.module, "--profile", "bad.toml"]).expect(7, &["SH-6003", "unheard_of"]);
    let unset = ["sign-declaration", "CEB621.xml", "--out-dir", "signed", "--pin-env", "NO_SUCH_VARIABLE"];
    desk.shield(&unset).expect(2, &["NO_SUCH_VARIABLE", "not set"]);
    // The built-in rules know no test issuer: both certificates are shown with the reason, and none signs.
    let sign = ["sign-declaration", "CEB621.xml", "--out-dir", "signed", "--pin-env", "CUSTOMS_PIN"];
    desk.bare(&sign).expect(5, &["SH-3001", "  - certificate"]);
    desk.shield(&["list", "--module", "/no/such/module.so"]).expect(2, &["SH-9002", "in one place"]);
    desk.shield(&["list", "--wait", "0"]).expect(2, &["--wait"]);
    desk.shield(&["list", "--log", "no/such/folder/log"]).expect(7, &["SH-7002", "no/such/folder/log"]);
}

#[test]
fn a_blank_token_is_named_as_one() {
    let Some(desk) = Desk::empty("a_blank_token_is_named_as_one") else { return };
    desk.bare(&["list"]).expect(3, &["SH-1013"]);
    desk.bare(&["list", "--lang", "zh"]).expect(3, &["SH-1013", "尚未初始化"]);
}

#[test]
fn help_and_readme_say_the_same_exit_codes() {
    let help = Ran::of(&std::process::Command::new(built("shield")).arg("--help").output().unwrap()).expect(0, &[]);
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let table = help.out.split("Exit codes:").nth(1).unwrap();
    let mut rows = 0;
    for line in table.lines().filter(|l| !l.trim().is_empty()) {
        let (code, meaning) = line.trim().split_once("  ").unwrap();
        let row = format!("| {code} | {meaning} |");
        assert!(readme.contains(&row), "not in the README: {row}");
        rows += 1;
    }
    assert_eq!(rows, 11);
}

#[test]
fn lists_are_json_for_programs_and_hold_no_person() {
    let Some(desk) = Desk::new("lists_are_json_for_programs", &[]) else { return };
    let list = desk.shield(&["--module", "/no/such/module.so", "list", "--json"]).expect(0, &[]);
    let value = list.json();
    assert_eq!(value["problems"][0]["code"], "SH-1010");
    let shields = value["shields"].as_array().unwrap();
    assert_eq!(shields.len(), 1, "the profile joins the two tokens: {value:#}");
    assert_eq!(shields[0]["doors"].as_array().unwrap().len(), 2);
    let certificates = shields[0]["certificates"].as_array().unwrap();
    let serving: Vec<_> = certificates.iter().filter(|c| c["standing"] == "serves").map(|c| &c["role"]).collect();
    assert_eq!(serving, ["customs", "bank"], "{value:#}");
    for one in certificates.iter().filter(|c| c["standing"] == "serves") {
        assert_eq!(one["fingerprint"].as_str().unwrap().len(), 64);
        assert!(one["days_left"].as_i64().unwrap() > 0);
        assert_eq!(one["tries"]["state"], "unknown", "SoftHSM does not count its tries");
    }
    let info = desk.shield(&["info", "--json", "--role", "bank"]).expect(0, &[]);
    let shown = info.json()["shields"][0]["certificates"].clone();
    assert!(!shown.as_array().unwrap().is_empty() && shown.as_array().unwrap().iter().all(|c| c["role"] == "bank"));
    desk.shield(&["info", "--json", "--personal"]).expect(2, &["cannot be used with"]);
}

#[test]
fn the_holders_name_shows_only_when_asked_for() {
    // Issuers put the holder's name into the token's label too.
    let Some(desk) = Desk::new("the_holders_name_shows_only", &["--label", "Synthetic Person"]) else { return };
    let asked = desk.shield(&["info", "--personal", "--role", "customs"]).expect(0, &["holder"]);
    let line = asked.out.lines().find(|l| l.trim_start().starts_with("holder")).unwrap();
    let holder = line.trim().trim_start_matches("holder").trim().to_owned();
    assert!(holder.chars().count() > 2, "{line}");
    for args in [&["list"][..], &["list", "--json"], &["info"], &["info", "--json"], &["info", "--lang", "zh"]] {
        let ran = desk.shield(&[args, &["--log", "log", "--log-level", "trace"]].concat()).expect(0, &[]);
        for name in [holder.as_str(), "Synthetic Person"] {
            assert!(!ran.out.contains(name) && !ran.err.contains(name), "{args:?}: {}", ran.out);
        }
    }
    let log = String::from_utf8_lossy(&desk.read("log")).into_owned();
    for name in [holder.as_str(), "Synthetic Person"] {
        assert!(!log.contains(name), "{log}");
    }
}

#[test]
fn everything_is_said_in_chinese_on_request() {
    let Some(desk) = Desk::new("everything_is_said_in_chinese", &[]) else { return };
    let zh = ["--lang", "zh"];
    desk.shield(&["list", "--lang", "zh"]).expect(0, &["共享盾", "海关", "银行", "剩余次数"]);
    desk.declare(&["CEB621.xml"], &["--pin-env", "WRONG_PIN", "--lang", "zh"])
        .expect(4, &["海关口令不正确", "SH-2001", "未处理 1"]);
    let right = ["--pin-env", "CUSTOMS_PIN", "--try-again", "--lang", "zh"];
    desk.declare(&["CEB621.xml"], &right).expect(0, &["已签名", "海关证书", "测试配置"]);
    let verify = ["verify", "signed/CEB621.xml", "--trust", "shield/ca.pem"];
    let right = ["有效", "正常 VF-001 签名值与证书公钥相符", "签名证书 0", " 签发）"];
    let said = desk.shield(&[&verify[..], &zh].concat()).expect(0, &right);
    assert!(!said.out.contains("certificate") && !said.out.contains("ok "), "{}", said.out);
    // What nobody can explain is not called in order.
    let signed = String::from_utf8(desk.read("signed/CEB621.xml")).unwrap();
    desk.write("other.xml", signed.replacen("COP2027", "COP2028", 1));
    let other = ["verify", "other.xml", "--trust", "shield/ca.pem"];
    desk.shield(&[&other[..], &zh].concat()).expect(6, &["无效", "错误 VF-102", "注意 VF-199"]);
    desk.shield(&other).expect(6, &["NOT valid", "BAD  VF-102", "note VF-199"]);
}

#[test]
fn a_reader_that_goes_away_is_no_crash() {
    let Some(desk) = Desk::new("a_reader_that_goes_away", &[]) else { return };
    let mut child = desk
        .command(built("shield"))
        .args(desk.arguments(&["list", "--json"]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    Ran::of(&child.wait_with_output().unwrap()).expect(0, &[]);
}

#[test]
fn names_from_outside_do_not_steer_the_terminal() {
    let Some(desk) = Desk::new("names_from_outside", &[]) else { return };
    let name = "evil\u{1b}[2J\u{202e}.xml";
    desk.write(name, "<x/>");
    let ran = desk.declare(&[name], &["--pin-env", "CUSTOMS_PIN"]).expect(6, &["evil"]);
    assert!(!ran.out.contains(['\u{1b}', '\u{202e}']) && !ran.err.contains(['\u{1b}', '\u{202e}']), "{ran:?}");
}

#[cfg(not(feature = "simulator"))]
#[test]
fn a_program_without_the_simulator_says_how_to_build_one_that_has_it() {
    let run = |args: &[&str]| Ran::of(&std::process::Command::new(built("shield")).args(args).output().unwrap());
    let words = ["SH-9001", "cargo build --example shield --features simulator"];
    run(&["--simulator", "desk.shield", "list"]).expect(8, &words);
    run(&["--simulator", "desk.shield", "make-test-shield", "--dir", "no-such-folder/desk"]).expect(8, &words);
    assert!(!std::path::Path::new("no-such-folder").exists());
}
