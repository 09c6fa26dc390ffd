//! Profile files: what they may say, and what each mistake is answered with.

use std::path::Path;
use std::time::Duration;

use shared_shield::link::Atr;
use shared_shield::{ErrorKind, Profile, Recovery, Role, policy};

#[track_caller]
fn refused(text: &str, kind: ErrorKind, line: usize, words: &str) {
    let error = Profile::parse(text).expect_err(text);
    assert_eq!(error.kind(), kind, "{error}\n{text}");
    let detail = error.what().unwrap_or_default();
    assert!(detail.starts_with(&format!("line {line}: ")) && detail.contains(words), "{error}\n{text}");
    assert_eq!(error.recovery(), Recovery::FixDocument);
    assert!(!error.to_string().contains(|c: char| c.is_control()), "{error:?}");
}

fn with(text: &str) -> String {
    format!("schema = 1\n{text}")
}

#[test]
fn the_smallest_profile_is_the_builtin_one() {
    let profile = Profile::parse("schema = 1").unwrap();
    assert!(!profile.is_test());
    assert!(profile.joins().is_empty());
    assert!(profile.allows_sha1(Role::Customs) && !profile.allows_sha1(Role::Bank));
    assert_eq!(profile.policy(Role::Customs), Profile::builtin().policy(Role::Customs));
    assert!(Profile::parse("\u{feff}schema = 1\r\nname = \"saved by an editor\"\r\n").is_ok());
}

#[test]
fn everything_a_profile_can_say_is_read() {
    let profile = Profile::parse(
        r#"
        schema = 1
        name = "all of it"
        test = true
        test_centre = true
        [customs]
        label = "declare"
        sha1 = false
        policy = { signatures = 500, lifetime_minutes = 60, idle_minutes = 10 }
        [[customs.issuer]]
        organisation = "Example Customs"
        unit = "A"
        common_name = "B"
        country = "CN"
        authority_key_id = "00:11:22:33 44:55:66:77"
        policies = ["1.3.135.1.1.2"]
        require_eport_fields = true
        allow_ca = true
        [bank]
        label = "pay"
        [bank.policy]
        lifetime_minutes = 5
        [[bank.issuer]]
        organisation = "Example Bank"
        [[shield]]
        serials = ["0001            ", "0002"]
        [[shield]]
        serials = ["0003", "0004", "0005"]
        [[pkcs11.sm2]]
        module = "libvendor.so"
        manufacturer = "Vendor"
        set = "A"
        output = "der"
        key_types = [0x80000016]
        [[pkcs11.sm2.mechanism]]
        number = 0x80000004
        input = "z-message"
        output = "raw"
        [[pkcs11.sm2]]
        set = "none"
        "#,
    )
    .unwrap();
    assert_eq!((profile.name(), profile.is_test()), ("all of it", true));
    assert_eq!((profile.label(Role::Customs), profile.label(Role::Bank)), (Some("declare"), Some("pay")));
    assert!(!profile.allows_sha1(Role::Customs));
    let customs = profile.policy(Role::Customs);
    assert_eq!(
        (customs.signatures, customs.lifetime, customs.idle),
        (500, Duration::from_secs(3600), Duration::from_secs(600))
    );
    assert_eq!(profile.policy(Role::Bank).lifetime, Duration::from_secs(300));
    assert_eq!(profile.policy(Role::Bank).signatures, 1);
    let serials: Vec<_> = profile.joins().iter().map(|j| j.serials.join("+")).collect();
    assert_eq!(serials, ["0001+0002", "0003+0004+0005"]);
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    for (text, line, key) in [
        ("nmae = \"x\"", 2, "`nmae`"),
        ("[customs]\nissuers = []", 3, "`issuers`"),
        ("[[customs.issuer]]\norganization = \"x\"", 3, "`organization`"),
        ("[customs.policy]\nsignature = 1", 3, "`signature`"),
        ("[bank]\nsha1 = true", 3, "`sha1`"),
        ("[bank.policy]\nresends = 5", 3, "`resends`"),
        ("[[shield]]\nserials = [\"1\", \"2\"]\nlabels = []", 4, "`labels`"),
        ("replace_builtin = true\nbuiltin = false", 3, "`builtin`"),
        ("[pkcs11]\nsm4 = []", 3, "`sm4`"),
        ("[[pkcs11.sm2]]\nset = \"C\"\nsets = 1", 4, "`sets`"),
        ("[[pkcs11.sm2]]\n[[pkcs11.sm2.mechanism]]\nnumbr = 1", 4, "`numbr`"),
        ("\"\\u001B[31m\" = 1", 2, "unknown key"),
    ] {
        refused(&with(text), ErrorKind::ProfileKey, line, key);
    }
}

#[test]
fn another_schema_is_told_apart_from_a_wrong_key() {
    refused("name = \"x\"", ErrorKind::ProfileSchema, 1, "schema = 1 is missing");
    refused("schema = 2\nnew_key = true", ErrorKind::ProfileSchema, 1, "schema is 2");
    refused("\n\nschema = 0", ErrorKind::ProfileSchema, 3, "schema is 0");
    refused("schema = -9223372036854775808", ErrorKind::ProfileSchema, 1, "schema is -9");
    refused("", ErrorKind::ProfileSchema, 1, "missing");
    refused("schema = \"1\"", ErrorKind::ProfileMalformed, 1, "integer");
}

#[test]
fn what_is_no_toml_or_of_a_wrong_type_is_malformed_with_its_line() {
    for (text, line, words) in [
        ("name = ", 2, ""),
        ("\n[customs", 3, ""),
        ("name = \"a\"\nname = \"b\"", 3, "duplicate"),
        ("test = \"yes\"", 2, "boolean"),
        ("customs = 3", 2, ""),
        ("[customs]\nlabel = 3", 3, "string"),
        ("[customs.policy]\nsignatures = -1", 3, ""),
        ("[customs.policy]\nsignatures = 4294967296", 3, ""),
        ("[[shield]]\nserials = \"1\"", 3, ""),
        ("[[shield]]", 2, "serials"),
        ("[customs]\nlabel = \" \"", 3, "empty"),
        ("[customs]\nlabel = \"a\\u0007\"", 3, "control"),
        ("[[customs.issuer]]\norganisation = \"\"", 3, "empty"),
        ("[[bank.issuer]]\nauthority_key_id = \"xyz\"", 3, "hex"),
        ("[[bank.issuer]]\nauthority_key_id = \"00112233445566\"", 3, "8 to 64"),
        ("[[bank.issuer]]\nauthority_key_id = \"00112233445566778\"", 3, "8 to 64"),
        ("[[bank.issuer]]\nunit = \"x\"\npolicies = [\"1.2\", \"one.two\"]", 4, "object identifier"),
        ("[[bank.issuer]]\nunit = \"x\"\npolicies = [\"2.5.29.32.0\"]", 4, "anyPolicy"),
        ("[[shield]]\nserials = [\"1\"]", 2, "at least two"),
        ("[[shield]]\nserials = [\"1\", \" 1 \"]", 3, "twice"),
        ("[[shield]]\nserials = [\"1\", \"2\"]\n[[shield]]\nserials = [\"3\", \"2\"]", 5, "twice"),
        ("[[shield]]\nserials = [\"1\", \"\"]", 3, "empty"),
        ("[[pkcs11.sm2]]", 2, "neither a set nor a mechanism"),
        ("[[pkcs11.sm2]]\nset = \"c\"", 3, "A, B, C, D, E, none"),
        ("[[pkcs11.sm2]]\nset = \"E\"", 2, "set E knows no mechanism"),
        ("[[pkcs11.sm2]]\nset = \"A\"\noutput = \"r-s\"", 4, "\"raw\" or \"der\""),
        ("[[pkcs11.sm2]]\nset = \"A\"\nkey_types = [-1]", 4, "integer"),
        ("[[pkcs11.sm2]]\nset = \"A\"\nmodule = \"/opt/lib.so\"", 4, "without its folder"),
        ("[[pkcs11.sm2]]\nset = \"A\"\nmanufacturer = \"\"", 4, "empty"),
        ("[[pkcs11.sm2]]\nset = \"A\"\n[[pkcs11.sm2]]\nset = \"B\"", 4, "never used"),
        ("[[pkcs11.sm2]]\n[[pkcs11.sm2.mechanism]]\nnumber = 1\noutput = \"raw\"", 3, "input"),
        (
            "[[pkcs11.sm2]]\n[[pkcs11.sm2.mechanism]]\nnumber = 1\ninput = \"digest\"\noutput = \"raw\"",
            5,
            "\"z-message\"",
        ),
        ("[[pkcs11.sm2]]\n[[pkcs11.sm2.mechanism]]\nnumber = 0x100000000\ninput = \"e\"\noutput = \"raw\"", 4, ""),
    ] {
        refused(&with(text), ErrorKind::ProfileMalformed, line, words);
    }
    let deep = format!("schema = 1\nx = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(Profile::parse(&deep).unwrap_err().kind(), ErrorKind::ProfileMalformed);
}

const DEVICE: &str =
    "atr = \"3B 80 80 01 01\"\nmanufacturer = \"Maker\"\nmodel = \"GM/T 0017 type 1, hardware 1.0, firmware 2.3\"";

#[test]
fn the_dialect_of_a_device_is_named_by_all_that_the_device_says_of_itself() {
    let second = DEVICE.replace("Maker", "Other Maker");
    let profile = Profile::parse(&with(&format!(
        "[cards]\napplications = [\"eport\", \"bank\", \"eport\"]\n[[cards.dialect]]\n{DEVICE}\nname = \"syno-2015\"\n\
         proven = [\"0001\", \" 0002 \"]\n[[cards.dialect]]\n{second}\nname = \"gm3000\"\n"
    )))
    .unwrap();
    let (atr, model) = (Atr::new(&[0x3B, 0x80, 0x80, 1, 1]), "GM/T 0017 type 1, hardware 1.0, firmware 2.3");
    let rule = profile.dialect(&atr, "Maker", model).unwrap();
    assert_eq!((rule.dialect.as_str(), rule.proven.join("+")), ("syno-2015", "0001+0002".to_owned()));
    let other = profile.dialect(&atr, "Other Maker", model).unwrap();
    assert_eq!((other.dialect.as_str(), other.proven.len()), ("gm3000", 0));
    // A device of which one thing is different is another one: nothing is guessed.
    let longer = Atr::new(&[0x3B, 0x80, 0x80, 1, 1, 0]);
    for (atr, manufacturer, model) in [
        (&longer, "Maker", model),
        (&atr, "maker", model),
        (&atr, "Maker Ltd", model),
        (&atr, "Maker", "GM/T 0017 type 1, hardware 1.0, firmware 2.4"),
        (&atr, "", model),
    ] {
        assert!(profile.dialect(atr, manufacturer, model).is_none(), "{atr} {manufacturer} {model}");
    }
    assert!(Profile::builtin().dialect(&atr, "Maker", model).is_none(), "there is no dialect by default");
}

#[test]
fn what_a_profile_says_wrongly_of_a_device_is_named_with_its_line() {
    let rule = |text: &str| with(&format!("[[cards.dialect]]\n{text}"));
    refused(&rule(DEVICE), ErrorKind::ProfileMalformed, 2, "name");
    let named = format!("{DEVICE}\nname = \"usbtool\"");
    Profile::parse(&rule(&named)).unwrap();
    for (text, kind, line, words) in [
        (named.replace("3B 80 80 01 01", "3B"), ErrorKind::ProfileMalformed, 3, "2 to 33"),
        (named.replace("3B 80 80 01 01", &"3B".repeat(34)), ErrorKind::ProfileMalformed, 3, "2 to 33"),
        (named.replace("3B 80 80 01 01", "3Bxy"), ErrorKind::ProfileMalformed, 3, "hex"),
        (named.replace("Maker", " "), ErrorKind::ProfileMalformed, 4, "empty"),
        (named.replace("Maker", "a\\u001b[31m"), ErrorKind::ProfileMalformed, 4, "control"),
        (format!("{DEVICE}\nname = 3"), ErrorKind::ProfileMalformed, 6, "string"),
        (format!("{named}\nproven = [\"1\", \"\"]"), ErrorKind::ProfileMalformed, 7, "empty"),
        (format!("{named}\nproven = \"1\""), ErrorKind::ProfileMalformed, 7, ""),
        (format!("{named}\nbyte_order = \"big\""), ErrorKind::ProfileKey, 7, "`byte_order`"),
        (format!("{named}\n[[cards.dialect]]\n{named}"), ErrorKind::ProfileMalformed, 7, "twice"),
    ] {
        refused(&rule(&text), kind, line, words);
    }
    let application = |name: &str| with(&format!("[cards]\napplications = [{name:?}]"));
    Profile::parse(&application(&"x".repeat(policy::NAME_MAX))).unwrap();
    refused(&application(&"x".repeat(policy::NAME_MAX + 1)), ErrorKind::ProfileMalformed, 3, "octets");
    refused(&application(""), ErrorKind::ProfileMalformed, 3, "empty");
}

#[cfg(feature = "gm0017")]
#[test]
fn a_dialect_that_nobody_knows_is_refused_by_its_line() {
    for name in ["syno-2015", "usbtool", "gm3000"] {
        Profile::parse(&with(&format!("[[cards.dialect]]\n{DEVICE}\nname = {name:?}"))).unwrap();
    }
    for name in ["syno", "SYNO-2015", "gm3000 ", "gmt0017-2023", "default"] {
        let text = with(&format!("[[cards.dialect]]\n{DEVICE}\nname = {name:?}"));
        refused(&text, ErrorKind::ProfileMalformed, 6, "dialect");
    }
}

#[test]
fn a_rule_that_names_no_issuer_is_refused() {
    for rule in ["", "country = \"CN\"", "policies = [\"1.2.3\"]", "require_eport_fields = true\ncountry = \"CN\""] {
        let text = with(&format!("[[bank.issuer]]\n{rule}"));
        refused(&text, ErrorKind::ProfileMalformed, 2, "names no issuer");
        refused(&text.replace("bank", "customs"), ErrorKind::ProfileMalformed, 2, "names no issuer");
    }
}

#[test]
fn a_profile_lowers_what_one_pin_entry_signs_and_never_raises_it() {
    for (role, key, most) in [
        ("customs", "signatures", 5_000),
        ("customs", "lifetime_minutes", 720),
        ("customs", "idle_minutes", 30),
        ("bank", "signatures", 1),
    ] {
        let text = |n: u32| with(&format!("[{role}.policy]\n{key} = {n}"));
        Profile::parse(&text(most)).unwrap();
        refused(&text(most + 1), ErrorKind::ProfileMalformed, 3, "never raises");
        refused(&text(0), ErrorKind::ProfileMalformed, 3, key);
        refused(&text(u32::MAX), ErrorKind::ProfileMalformed, 3, key);
    }
}

#[test]
fn a_rule_that_would_take_a_builtin_rules_place_has_to_say_so() {
    let eport_key = "442431b74c04be80155e6ba8e0dd5b8ca5d38745";
    for (role, rule, words) in [
        ("bank", "organisation = \"中国电子口岸\"".to_owned(), "a bank rule fits the e-port's issuers"),
        ("bank", "unit = \"证书管理中心\"\ncountry = \"cn\"".to_owned(), "a bank rule fits"),
        ("bank", format!("authority_key_id = \"{eport_key}\""), "a bank rule fits"),
        ("bank", "organisation = \"中国电子口岸\"\nrequire_eport_fields = true".to_owned(), "a bank rule fits"),
        ("bank", "common_name = \"中国电子口岸数据中心开发区\"".to_owned(), "a bank rule fits"),
        ("customs", "organisation = \"中国电子口岸\"".to_owned(), "asks for less"),
        ("customs", format!("authority_key_id = \"{eport_key}\"\nrequire_eport_fields = true"), "asks for less"),
        ("customs", "organisation = \"中国电子口岸\"\nrequire_eport_fields = true".to_owned(), "asks for less"),
        ("customs", "organisation = \"电子口岸\"".to_owned(), "test_centre = true"),
        ("customs", "organisation = \"China Construction Bank\"".to_owned(), "bank rule knows"),
        ("customs", "common_name = \"CFCA ACS OCA31\"".to_owned(), "bank rule knows"),
    ] {
        let text = with(&format!("[[{role}.issuer]]\n{rule}"));
        refused(&text, ErrorKind::ProfileBuiltin, 2, words);
        Profile::parse(&format!("replace_builtin = true\n{text}")).unwrap();
    }
    refused(&with("builtin = false"), ErrorKind::ProfileBuiltin, 2, "replace_builtin = true");
    for (role, rule) in [
        ("customs", "organisation = \"中国电子口岸\"\nauthority_key_id = \"00112233445566778899\"".to_owned()),
        (
            "customs",
            format!("organisation = \"中国电子口岸\"\nauthority_key_id = \"{eport_key}\"\nrequire_eport_fields = true"),
        ),
        ("customs", "unit = \"Synthetic Trading Co\"".to_owned()),
        ("bank", "organisation = \"Example Bank\"".to_owned()),
        ("bank", "organisation = \"China Construction Bank\"".to_owned()),
        ("bank", "authority_key_id = \"00112233445566778899\"\ncountry = \"CN\"".to_owned()),
    ] {
        Profile::parse(&with(&format!("[[{role}.issuer]]\n{rule}"))).unwrap();
    }
    Profile::parse("schema = 1\ntest_centre = true\n[[customs.issuer]]\norganisation = \"电子口岸\"").unwrap();
}

#[test]
fn an_authority_signs_under_a_test_profile_alone() {
    let rule = "[[customs.issuer]]\nunit = \"x\"\nallow_ca = true";
    refused(&with(rule), ErrorKind::ProfileMalformed, 2, "test = true");
    Profile::parse(&with(&format!("test = true\n{rule}"))).unwrap();
}

#[test]
fn a_profile_file_that_cannot_be_used_is_named_by_its_path() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("profiles");
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, octets: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, octets).unwrap();
        path
    };
    let good = write("good.toml", b"schema = 1\nname = \"good\"\n");
    assert_eq!(Profile::load(&good).unwrap().name(), "good");
    let large = [b"schema = 1\n#".to_vec(), vec![b'x'; usize::try_from(policy::PROFILE_MAX).unwrap()]].concat();
    for (path, kind, words) in [
        (folder.join("missing.toml"), ErrorKind::InputFailed, "missing.toml"),
        (folder.clone(), ErrorKind::InputFailed, "not a file"),
        (write("large.toml", &large), ErrorKind::ProfileMalformed, "large.toml: larger than 262144 octets"),
        (
            write("latin.toml", b"schema = 1\n\nname = \"\xe9\"\n"),
            ErrorKind::ProfileMalformed,
            "latin.toml: line 3: not UTF-8",
        ),
        (write("key.toml", b"schema = 1\nkey = 1\n"), ErrorKind::ProfileKey, "key.toml: line 2: unknown key `key`"),
    ] {
        let error = Profile::load(&path).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(Profile::parse(&String::from_utf8(large).unwrap()).unwrap_err().kind(), ErrorKind::ProfileMalformed);
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_profile_does_not_hang() {
    let pipe = Path::new(env!("CARGO_TARGET_TMPDIR")).join("profile.pipe");
    let _ = std::fs::remove_file(&pipe);
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(Profile::load(&pipe).unwrap_err().kind(), ErrorKind::InputFailed);
}
