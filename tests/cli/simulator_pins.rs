//! PINs of two parties on one device, and the dialect in which it takes them, through the program.

use crate::simulator::Bench;

#[test]
fn wrong_pins_of_one_party_are_nothing_to_the_other_and_each_office_unlocks_its_own() {
    let bench = Bench::new("wrong_pins", &[]);
    for left in [4, 3, 2, 1] {
        bench.sign("customs", "WRONG_PIN", &[]).expect(4, &["SH-2001"]);
        assert_eq!(bench.tries(), [left, 6]);
    }
    // The fifth is refused by us, even the right one, and the bank is not concerned.
    bench.sign("customs", "CUSTOMS_PIN", &[]).expect(4, &["SH-2003", "e-port"]);
    assert_eq!(bench.tries(), [1, 6]);
    bench.sign("bank", "BANK_PIN", &[]).expect(0, &["bank certificate"]);
    bench
        .sign("customs", "WRONG_PIN", &["--spend-last-try"])
        .expect(4, &["SH-2002", "other certificate is not affected"]);
    let locked = bench.sign("customs", "CUSTOMS_PIN", &[]).expect(4, &["SH-2002"]);
    assert!(!locked.err.contains("bank that issued"), "{}", locked.err);
    bench.sign("bank", "BANK_PIN", &[]).expect(0, &[]);
    bench.shield(&["doctor"]).expect(4, &["SH-2002"]);

    let unblock =
        |puk: &str| bench.shield(&["unblock", "--role", "customs", "--puk-env", puk, "--new-pin-env", "NEW_PIN"]);
    unblock("BANK_PUK").expect(4, &["SH-200F"]);
    bench.sign("bank", "BANK_PIN", &[]).expect(0, &[]);
    unblock("CUSTOMS_PUK").expect(0, &["unlocked the customs PIN"]);
    assert_eq!(bench.tries(), [5, 6]);
    bench.sign("customs", "NEW_PIN", &[]).expect(0, &["customs certificate"]);

    // And the reverse: the bank's tries are the bank's.
    bench.sign("bank", "WRONG_PIN", &[]).expect(4, &["SH-2001"]);
    assert_eq!(bench.tries(), [5, 5]);
}

#[test]
fn a_pin_is_changed_for_its_own_party_alone() {
    let bench = Bench::new("a_pin_is_changed", &[]);
    let change = |role: &str, from: &str, to: &str| {
        bench.shield(&["change-pin", "--role", role, "--pin-env", from, "--new-pin-env", to])
    };
    let changed = change("customs", "CUSTOMS_PIN", "NEW_PIN").expect(0, &["changed the customs PIN"]);
    assert!(!changed.out.contains("also opens"), "{}", changed.out);
    bench.sign("customs", "CUSTOMS_PIN", &[]).expect(4, &["SH-2001"]);
    bench.sign("customs", "NEW_PIN", &[]).expect(0, &[]);
    bench.sign("bank", "NEW_PIN", &[]).expect(4, &["SH-2001"]);
    bench.sign("bank", "BANK_PIN", &[]).expect(0, &[]);
    // What the maker set is gone for customs, and the bank's is still there.
    let list = bench.shield(&["list", "--json"]).json();
    for one in list["shields"][0]["certificates"].as_array().unwrap().iter().filter(|c| c["standing"] == "serves") {
        assert_eq!(one["factory_pin"], one["role"] == "bank", "{one:#}");
    }
    bench.shield(&["doctor", "--json"]).expect(0, &["DR-005", "DR-006"]);

    // There are two unlock codes, so one has to be meant.
    let puk = |more: &[&str]| {
        bench.shield(&[&["change-puk", "--puk-env", "CUSTOMS_PUK", "--new-puk-env", "NEW_PIN"], more].concat())
    };
    puk(&[]).expect(2, &["there is a PIN for each role"]);
    puk(&["--role", "bank"]).expect(4, &["SH-200F", "enter the right unlock code"]);
    puk(&["--role", "customs"]).expect(0, &["changed the unlock code"]);
    puk(&["--role", "customs"]).expect(4, &["SH-200F"]);
}

#[test]
fn a_device_whose_dialect_nobody_names_is_listed_and_gets_no_pin() {
    let bench = Bench::new("dialect_missing", &[]);
    let serial = bench.serial();
    bench.profile("[[cards.dialect]]", "[[shield]]\nserials = [\"a\", \"b\"]\n[[not.read]]");
    bench.shield(&["list"]).expect(7, &["SH-6003"]);
    let text = bench.read("shield/profile.toml");
    bench.write("shield/profile.toml", text.split("\n[[shield]]").next().unwrap());
    bench.shield(&["list"]).expect(0, &["dialect not named: no PIN is sent", "eport:sign", "tries left: 5"]);
    // The PIN is not even read: a descriptor that is not open would be an error of its own.
    let args = ["sign-raw", "--role", "customs", "order.txt", "--out", "x.sig", "--pin-fd", "77"];
    bench.shield(&args).expect(3, &["SH-102A", "no try was used", "[[cards.dialect]]"]);
    bench.sign("bank", "BANK_PIN", &["--try-dialect"]).expect(3, &["SH-102A"]);
    bench.shield(&["change-pin", "--role", "bank", "--pin-fd", "77", "--new-pin-fd", "78"]).expect(3, &["SH-102A"]);
    bench.shield(&["unblock", "--role", "bank", "--puk-fd", "77", "--new-pin-fd", "78"]).expect(3, &["SH-102A"]);
    assert_eq!(bench.tries(), [5, 6]);
    let doctor = bench
        .shield(&["doctor"])
        .expect(3, &["SH-102A", "atr = ", "manufacturer = \"simulator\"", "model = \"GM/T 0017"]);
    assert_eq!(doctor.out.matches("BAD").count(), 1, "one finding for the device: {}", doctor.out);
    bench.shield(&["doctor", "--bundle", "bundle.txt"]).expect(3, &[]);
    let bundle = bench.read("bundle.txt");
    assert!(bundle.contains("dialect not known") && !bundle.contains(&serial), "{bundle}");
}

#[test]
fn a_dialect_that_was_never_proved_needs_a_word_and_then_the_profile_is_told() {
    let bench = Bench::new("dialect_unproven", &[]);
    let serial = bench.serial();
    let proven = format!("proven = [\"{serial}\"]");
    bench.profile(&proven, "proven = [\"SIM-OTHER\"]");
    bench.shield(&["list"]).expect(0, &["dialect syno-2015, never accepted by this device"]);
    bench.sign("customs", "CUSTOMS_PIN", &[]).expect(3, &["SH-102B", "--try-dialect"]);
    bench.shield(&["doctor"]).expect(3, &["SH-102B", "the dialect is syno-2015"]);
    assert_eq!(bench.tries(), [5, 6]);
    let line = format!("proven = [\"SIM-OTHER\", \"{serial}\"]");
    bench.sign("customs", "CUSTOMS_PIN", &["--try-dialect"]).expect(0, &[&line]);
    let declare =
        ["sign-declaration", "CEB621.xml", "--out-dir", "signed", "--pin-env", "CUSTOMS_PIN", "--try-dialect"];
    bench.shield(&declare).expect(0, &["1 signed", &line]);
    // The device has no memory of it: it is the profile that has to be told.
    bench.sign("customs", "CUSTOMS_PIN", &[]).expect(3, &["SH-102B"]);
    bench.profile("proven = [\"SIM-OTHER\"]", &line);
    let quiet = bench.sign("customs", "CUSTOMS_PIN", &["--try-dialect"]).expect(0, &[]);
    assert!(!quiet.err.contains("proven ="), "{}", quiet.err);
    bench.sign("customs", "CUSTOMS_PIN", &[]).expect(0, &[]);
}

#[test]
fn a_wrong_dialect_costs_a_try_at_a_time_and_ends_at_two() {
    let bench = Bench::new("dialect_wrong", &["--dialect", "usbtool"]);
    let proven = format!("proven = [\"{}\"]", bench.serial());
    bench.profile("name = \"usbtool\"", "name = \"gm3000\"");
    bench.profile(&proven, "proven = []");
    for left in [4, 3, 2] {
        let refused = bench.sign("customs", "CUSTOMS_PIN", &["--try-dialect"]);
        let refused = refused.expect(4, &["SH-2001", "dialect gm3000", "ask the maker for the device's dialect"]);
        assert!(!refused.err.contains("proven ="), "{}", refused.err);
        assert_eq!(bench.tries(), [left, 6]);
    }
    bench.sign("customs", "CUSTOMS_PIN", &["--try-dialect"]).expect(3, &["SH-102B"]);
    assert_eq!(bench.tries(), [2, 6]);
    // A name that no driver speaks is a mistake in the profile.
    bench.profile("name = \"gm3000\"", "name = \"gm2999\"");
    bench.shield(&["list"]).expect(7, &["SH-6001", "dialect"]);
}

#[test]
fn a_dialect_with_the_other_order_of_octets_is_named_as_the_reason() {
    let bench = Bench::new("dialect_order", &[]);
    bench.profile("name = \"syno-2015\"", "name = \"gm3000\"");
    let words = ["SH-102A", "other order of octets", "may not be this device's"];
    let list = bench.shield(&["list"]);
    let said = format!("{}{}", list.out, list.err);
    assert!(words.iter().all(|word| said.contains(word)) && !said.contains("SH-1015"), "{said}");
    bench.sign("customs", "CUSTOMS_PIN", &[]).expect(5, &["SH-3001", "other order of octets"]);
    bench.profile("name = \"gm3000\"", "name = \"syno-2015\"");
    assert_eq!(bench.tries(), [5, 6]);
}

#[test]
fn a_new_pin_or_unlock_code_that_cannot_be_one_is_named_by_what_it_is() {
    let bench = Bench::new("new_refused", &[]);
    let run = |args: &[&str]| {
        let args = [&["--simulator", "desk.shield", "--profile", "shield/profile.toml"], args].concat();
        let mut command = bench.command(crate::program::built("shield"));
        crate::program::Ran::of(&command.env("SHORT", "12345").args(&args).output().unwrap())
    };
    let another = "Now: choose another new one";
    for args in [
        ["change-pin", "--role", "customs", "--pin-env", "CUSTOMS_PIN", "--new-pin-env", "SHORT"],
        ["unblock", "--role", "customs", "--puk-env", "CUSTOMS_PUK", "--new-pin-env", "SHORT"],
    ] {
        run(&args).expect(4, &["SH-2011", "new customs PIN", another]);
    }
    let refused = run(&["change-puk", "--role", "customs", "--puk-env", "CUSTOMS_PUK", "--new-puk-env", "SHORT"]);
    let refused = refused.expect(4, &["SH-2011", "new unlock code (PUK)", another]);
    assert!(!refused.err.contains("customs PIN"), "{}", refused.err);
    for args in [
        ["unblock", "--role", "customs", "--puk-env", "SHORT", "--new-pin-env", "NEW_PIN"],
        ["change-puk", "--role", "customs", "--puk-env", "SHORT", "--new-puk-env", "NEW_PIN"],
    ] {
        let refused = run(&args).expect(4, &["SH-2006", "unlock code (PUK) has a length", "right unlock code"]);
        assert!(!refused.err.contains("customs PIN"), "{}", refused.err);
    }
    assert_eq!(bench.tries(), [5, 6]);
}

#[test]
fn the_other_dialects_sign_and_do_not_change_pins() {
    for dialect in ["usbtool", "gm3000"] {
        let bench = Bench::new(dialect, &["--dialect", dialect]);
        bench.shield(&["list"]).expect(0, &[&format!("dialect {dialect}, accepted")]);
        bench.sign("customs", "CUSTOMS_PIN", &[]).expect(0, &["sm2-sm3"]);
        bench.sign("bank", "BANK_PIN", &[]).expect(0, &[]);
        let change =
            bench.shield(&["change-pin", "--role", "bank", "--pin-env", "BANK_PIN", "--new-pin-env", "NEW_PIN"]);
        assert_ne!(change.code, 0, "{}", change.out);
        assert!(change.err.contains("SH-9001") || change.err.contains("SH-102A"), "{}", change.err);
        assert!(change.err.contains("use the vendor's program, or ask the office"), "{}", change.err);
        assert_eq!(bench.tries(), [5, 6]);
    }
}
