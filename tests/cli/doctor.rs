//! What `doctor` says without a smart-card service, and what its bundle never holds.

use crate::program::{BANK_PIN, CUSTOMS_PIN, Desk, Ran, WRONG_PIN, built, changed};

fn findings(ran: &Ran) -> Vec<(String, String)> {
    let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
    ran.json()["findings"].as_array().unwrap().iter().map(|f| (text(&f["severity"]), text(&f["code"]))).collect()
}

fn pair(severity: &str, code: &str) -> (String, String) {
    (severity.to_owned(), code.to_owned())
}

#[test]
fn a_shield_that_works_has_nothing_wrong() {
    let Some(desk) = Desk::new("a_shield_that_works", &[]) else { return };
    let ran = desk.shield(&["doctor"]).expect(0, &["Nothing is wrong.", "2 usable tokens", "DR-004"]);
    assert!(!ran.out.contains("BAD"), "{}", ran.out);
    let json = desk.shield(&["doctor", "--json"]).expect(0, &[]);
    assert_eq!(findings(&json), [pair("warning", "DR-004"), pair("info", "SH-1020")]);
    assert_eq!(json.json()["exit"], 0);
    assert_eq!(json.json()["modules"][0]["tokens"], 2);
    desk.shield(&["doctor", "--lang", "zh"]).expect(0, &["未发现问题", "测试配置", "目前找到的共享盾不需要它"]);
    // It spent no try.
    desk.shield(&["list"]).expect(0, &["tries left: unknown\n"]);
}

#[test]
fn each_thing_that_is_wrong_is_named_with_what_to_do() {
    let Some(desk) = Desk::empty("each_thing_that_is_wrong") else { return };
    let bare = |args: &[&str]| Ran::of(&desk.command(built("shield")).args(args).output().unwrap());
    bare(&["doctor"]).expect(3, &["BAD", "SH-1020", "Now: start the smart-card service", "1 thing is wrong"]);
    bare(&["doctor", "--lang", "zh"]).expect(3, &["智能卡服务未运行", "处理：", "发现 1 个问题"]);
    bare(&["doctor", "--no-readers"]).expect(3, &["SH-1004", "neither readers nor a driver were named"]);
    // A blank token, and no service either: both stand in the way.
    let blank = desk.bare(&["doctor", "--json"]).expect(3, &[]);
    assert_eq!(findings(&blank), [pair("wrong", "SH-1013"), pair("wrong", "SH-1020")]);
    // A driver that was named and is not there is wrong although another works.
    desk.make("shield", &["--expired"]);
    let ran = desk.shield(&["doctor", "--json"]).expect(5, &[]);
    assert_eq!(findings(&ran)[0], pair("wrong", "SH-3003"));
    assert_eq!(ran.json()["findings"][0]["recovery"], "RenewCertificate");
    let args = ["--module", &desk.module, "--module", "/no/such.so", "--profile", "shield/profile.toml", "doctor"];
    let both = bare(&args).expect(3, &["SH-1010", "/no/such.so", "SH-3003", "2 things are wrong"]);
    assert!(both.out.find("SH-1010 ").or(both.out.find("SH-1010,")) < both.out.find("(SH-3003"), "{}", both.out);
    // The built-in rules know no test issuer: no certificate has a role, and each is listed with the reason.
    desk.bare(&["doctor"]).expect(5, &["SH-3001", "its issuer is none that the profile knows"]);
}

#[test]
fn one_pin_for_both_and_a_pin_that_was_refused_are_told() {
    let Some(desk) = Desk::new("one_pin_for_both_and_a_pin_that_was_refused", &["--one-token"]) else { return };
    desk.shield(&["doctor"]).expect(0, &["One PIN opens both", "DR-003"]);
    desk.declare(&["CEB621.xml"], &["--pin-env", "WRONG_PIN"]).expect(4, &["SH-2001"]);
    desk.shield(&["doctor"]).expect(0, &["SH-200B", "--try-again"]);
}

#[test]
fn a_bundle_is_written_whole_and_holds_nothing_of_a_person() {
    // Issuers put the holder's name into the token's label too, and a certificate that was pasted into the wrong place into the driver's path.
    let Some(desk) = Desk::new("a_bundle_is_written_whole", &["--label", "Synthetic Person"]) else { return };
    desk.declare(&["CEB621.xml"], &["--pin-env", "WRONG_PIN"]).expect(4, &[]);
    let list = desk.shield(&["list", "--json"]).expect(0, &[]).json();
    let holder = desk.shield(&["info", "--personal"]).expect(0, &[]).out;
    desk.shield(&["doctor", "--bundle", "bundle.txt"]).expect(0, &["Wrote bundle.txt"]);
    let bundle = String::from_utf8(desk.read("bundle.txt")).unwrap();
    assert!(bundle.starts_with("shared-shield doctor, bundle 1\n"), "{bundle}");

    let mut never: Vec<String> =
        [CUSTOMS_PIN, BANK_PIN, WRONG_PIN, "Synthetic Person", "Person customs"].map(str::to_owned).into();
    never.push(desk.dir.display().to_string());
    let holders = holder.lines().filter_map(|l| l.trim().strip_prefix("holder")).map(|l| l.trim().to_owned());
    never.extend(holders);
    let shields = list["shields"].as_array().unwrap();
    for shield in shields {
        never.push(shield["serial"].as_str().unwrap().to_owned());
        never.extend(shield["doors"].as_array().unwrap().iter().map(|d| d["serial"].as_str().unwrap().to_owned()));
        for one in shield["certificates"].as_array().unwrap() {
            for key in ["entity_code", "entity_name", "card_number", "fingerprint", "number"] {
                never.extend(one[key].as_str().map(str::to_owned));
            }
        }
    }
    assert!(never.len() > 15, "{never:?}");
    for word in &never {
        assert!(word.chars().count() > 2 && !bundle.contains(word.as_str()), "{word:?} stands in\n{bundle}");
    }
    // What it is for: roles, dates, issuers, states.
    for word in [
        "customs, Serves, P-256",
        "bank, Serves",
        "issuer Synthetic Test Bank CA",
        "SH-200B",
        "libsofthsm2.so: 2 tokens",
    ] {
        assert!(bundle.contains(word), "no {word:?} in\n{bundle}");
    }

    // What is there is left alone unless it is said otherwise; nothing of an attempt stays behind.
    desk.write("bundle.txt", changed(bundle.as_bytes(), "bundle "));
    let before = desk.read("bundle.txt");
    desk.shield(&["doctor", "--bundle", "bundle.txt"]).expect(7, &["SH-7002", "--overwrite"]);
    assert_eq!(desk.read("bundle.txt"), before);
    desk.shield(&["doctor", "--bundle", "bundle.txt", "--overwrite"]).expect(0, &[]);
    assert_eq!(desk.read("bundle.txt"), bundle.as_bytes());
    desk.shield(&["doctor", "--bundle", "no/such/folder.txt"]).expect(7, &["SH-7002"]);
    assert!(desk.names(".").iter().all(|n| !n.ends_with(".part")), "{:?}", desk.names("."));
}
