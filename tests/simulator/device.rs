//! Device, applications, containers and files.

use shared_shield::ErrorKind;
use shared_shield::simulator::{Algorithm, ApplicationSetup, DEVICE_KEY, Simulator, Usage};

use crate::terminal::{ADMIN, USER, by_openssl, hex, padded};
use crate::{ADMIN_PIN, BANK_PIN, CUSTOMS_PIN, DIALECTS, setup, shared_shield, terminal};

#[test]
fn the_device_says_that_it_is_a_simulator_in_the_form_of_every_dialect() {
    for dialect in DIALECTS {
        let device = shared_shield(dialect);
        let t = terminal(&device, dialect);
        assert_eq!(t.send(0x02, 0, 0, "desk 3".as_bytes()).sw, 0x9000);
        let info = t.ask(0x04, 0, 0, &[], 288).fine();
        let text = |from: usize, width: usize| {
            String::from_utf8(info[from..from + width].to_vec()).unwrap().trim_end_matches('\0').to_owned()
        };
        assert_eq!(info.len(), 288);
        assert_eq!(info[..4], [1, 0, 1, 0]);
        assert_eq!(
            [text(4, 64), text(68, 64), text(132, 32), text(164, 32)],
            ["simulator", "shared-shield", "desk 3", "SIM-0001"]
        );
        assert_eq!(t.read_u32(&info[200..]), 0x403, "symmetric: SM4 in ECB and CBC");
        let sm2 = if dialect == "syno-2015" { 0x2_0700 } else { 0x2_0E00 };
        assert_eq!(t.read_u32(&info[204..]), sm2 | 0x8000_0000, "asymmetric: SM2, and P-256 in bit 31");
        assert_eq!(t.read_u32(&info[208..]), 7);
        assert_eq!(t.read_u32(&info[212..]), 0x401, "device authentication: SM4");
        let (total, free) = (t.read_u32(&info[216..]), t.read_u32(&info[220..]));
        assert!(free <= total && free > 0);
        assert!(info[234..].iter().all(|octet| *octet == 0), "reserved");
    }
}

#[test]
fn only_the_holder_of_the_device_key_makes_and_deletes_applications() {
    for dialect in DIALECTS {
        let device = shared_shield(dialect);
        let t = terminal(&device, dialect);
        let width = if dialect == "syno-2015" { 48 } else { 32 };
        let mut name = b"third".to_vec();
        name.resize(width, 0);
        let (admin, user) = (padded(b"11111111"), padded(b"222222"));
        let [three, ten, rights] = [3, 10, 0x10].map(|n| t.u32(n));
        let files = t.u16(4);
        let data = [&name[..], &admin, &ten, &user, &three, &rights, &[2, 4], &files].concat();
        assert_eq!(t.send(0x20, 0, 0, &data).sw, 0x6982);
        assert_eq!(t.device_auth(b"another key 1234"), if dialect == "syno-2015" { 0x639C } else { 0x63C9 });
        assert_eq!(t.send(0x20, 0, 0, &data).sw, 0x6982);
        assert_eq!(t.device_auth(DEVICE_KEY), 0x9000);
        assert_eq!(t.send(0x20, 0, 0, &data).sw, 0x9000);
        assert_eq!(t.send(0x20, 0, 0, &data).sw, 0x6A89, "twice");
        assert_eq!(t.names(0x22, &[]), ["eport", "bank", "third"]);
        let id = t.open("third");
        assert_eq!((t.tries(id, ADMIN), t.tries(id, USER)), ((10, 10, true), (3, 3, true)));
        assert_eq!(t.verify(id, USER, "222222"), 0x9000);
        assert_eq!(t.send(0x24, 0, 0, b"third").sw, 0x9000);
        assert_eq!(t.names(0x22, &[]), ["eport", "bank"]);
        assert_eq!(t.send(0x1C, 0, 0, &id).sw, 0x6A88, "nothing of it is left");
    }
}

#[test]
fn the_device_key_is_changed_under_the_old_one_and_its_values_are_those_of_openssl() {
    let device = shared_shield("syno-2015");
    let t = terminal(&device, "syno-2015");
    let new = b"a newer key 5678";
    let by_script = |value: &str, random: &[u8]| {
        let (random, old, new) = (hex(random), hex(DEVICE_KEY), hex(new));
        by_openssl(value, &[CUSTOMS_PIN, ADMIN_PIN, "654321", &random, "1000", &old, &new])
    };
    let random = t.random(8);
    assert_eq!(t.send(0x10, 0, 2, &by_script("any.device-auth", &random)).sw, 0x9000);
    let random = t.random(8);
    let change = by_script("syno-2015.change-device-key", &random);
    assert_eq!(t.raw(&t.apdu([0x84, 0x12, 0, 2], &change, None)).sw, 0x9000);
    assert_ne!(t.device_auth(DEVICE_KEY), 0x9000);
    assert_eq!(t.device_auth(new), 0x9000);
    assert_eq!(t.send(0x10, 0, 0, &[0; 16]).sw, 0x6A86, "SM1 is not there");
}

#[test]
fn containers_need_the_user_and_tell_what_is_in_them() {
    for dialect in DIALECTS {
        let device = shared_shield(dialect);
        let t = terminal(&device, dialect);
        let customs = t.open("eport");
        let with = |name: &str| [&customs[..], name.as_bytes()].concat();
        let info = |name: &str| {
            let info = t.ask(0x4A, 0, 0, &with(name), 11).fine();
            (info[0], t.read_u32(&info[1..]), t.read_u32(&info[5..]), info[9], info[10])
        };
        assert_eq!(t.ask(0x40, 0, 0, &with("second"), 2).sw, 0x6982);
        assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
        assert_eq!(t.ask(0x40, 0, 0, &with("second"), 2).sw, 0x9000);
        assert_eq!(t.ask(0x40, 0, 0, &with("second"), 2).sw, 0x6E02);
        device.create_rsa_container("eport", "old").unwrap();
        assert_eq!(t.names(0x46, &customs), ["declarant", "second", "old"]);
        assert_eq!(info("second"), (0, 0, 0, 0, 0));
        assert_eq!(info("old"), (1, 2048, 2048, 0, 0));
        let second = t.container(customs, "second");
        assert_eq!(t.ask(0x70, 0, 0, &[&customs[..], &second, &t.u32(256)].concat(), 64).fine().len(), 64);
        assert_eq!(t.store(customs, second, 0, b"a certificate"), 0x9000);
        assert_eq!(info("second"), (2, 256, 0, 0, 1));
        assert_eq!(t.certificate(customs, second, 0), b"a certificate");
        assert_eq!(t.ask(0x4E, 1, 0, &[customs, second].concat(), 0).sw, 0x6A96);
        assert_eq!(t.send(0x48, 0, 0, &with("second")).sw, 0x9000);
        assert_eq!(t.ask(0x42, 0, 0, &with("second"), 2).sw, 0x6A91);
        assert_eq!(t.ask(0x4E, 0, 0, &[customs, second].concat(), 0).sw, 0x6A94);
        let old = t.container(customs, "old");
        assert_eq!(t.sign(customs, old, &[1; 32]).sw, 0x6A81, "RSA is shown and does nothing");
    }
}

#[test]
fn files_keep_what_was_written_for_those_who_may_read_it() {
    for dialect in DIALECTS {
        let device = shared_shield(dialect);
        let t = terminal(&device, dialect);
        let customs = t.open("eport");
        let width = if dialect == "syno-2015" { 48 } else { 32 };
        let mut name = b"notes".to_vec();
        name.resize(width, 0);
        // Read by anybody, written by the user.
        let [size, read, write] = [10, 0xFF, 0x10].map(|n| t.u32(n));
        let create = [&name[..], &size, &read, &write].concat();
        let [p1, p2] = customs;
        assert_eq!(t.send(0x30, p1, p2, &create).sw, 0x6982);
        assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
        assert_eq!(t.send(0x30, p1, p2, &create).sw, 0x9000);
        assert_eq!(t.send(0x30, p1, p2, &create).sw, 0x6A92);
        let at = |offset: u16| [&customs[..], &t.u16(offset), &t.u16(5), b"notes"].concat();
        let put = |offset: u16, data: &[u8]| {
            let length = t.u16(u16::try_from(data.len()).unwrap());
            t.send(0x3A, 0, 0, &[&at(offset)[..], &length, data].concat()).sw
        };
        assert_eq!((put(2, b"abc"), put(9, b"xy")), (0x9000, 0x6B00));
        assert_eq!(t.send(0x1C, 0, 0, &customs).sw, 0x9000);
        assert_eq!(put(0, b"a"), 0x6982);
        assert_eq!(t.ask(0x38, 0, 0, &at(1), 5).fine(), b"\0abc\0");
        assert_eq!(t.ask(0x38, 0, 0, &at(11), 5).sw, 0x6B00);
        assert_eq!(t.ask(0x36, p1, p2, b"notes", 12).fine(), [size, read, write].concat());
        let (names, _) = t.whole(0x34, p1, p2, &[]);
        assert_eq!(names, b"notes\0");
        assert_eq!(t.send(0x32, p1, p2, b"notes").sw, 0x6982);
        assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
        assert_eq!(t.send(0x32, p1, p2, b"notes").sw, 0x9000);
        assert_eq!(t.ask(0x38, 0, 0, &at(0), 5).sw, 0x6A93);
    }
}

#[test]
fn nothing_is_done_in_an_application_that_is_not_open() {
    let device = shared_shield("syno-2015");
    device.generate("eport", "declarant", Algorithm::Sm2).unwrap();
    let t = terminal(&device, "syno-2015");
    assert_eq!(t.ask(0x26, 0, 0, b"nobody", 10).sw, 0x6A88);
    let customs = t.open("eport");
    let container = t.container(customs, "declarant");
    assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
    assert_eq!(t.sign(customs, container, &[1; 32]).sw, 0x9000);
    assert_eq!(t.close(customs), 0x9000);
    for (ins, p1, data) in [(0x74, 2, [&customs[..], &container, &[1; 32]].concat()), (0x1C, 0, customs.to_vec())] {
        assert_eq!(t.send(ins, p1, 0, &data).sw, 0x698A);
    }
    // The login outlives the application, as the standard has it; the open containers do not.
    let customs = t.open("eport");
    assert_eq!(t.sign(customs, container, &[1; 32]).sw, 0x6A94);
    let container = t.container(customs, "declarant");
    assert_eq!(t.sign(customs, container, &[1; 32]).sw, 0x9000);
}

#[test]
fn commands_that_are_none_are_refused_and_what_the_standard_has_beyond_this_device_is_unsupported() {
    let device = shared_shield("syno-2015");
    let t = terminal(&device, "syno-2015");
    for (apdu, sw) in [
        (&[][..], 0x6700),
        (&[0x80, 0x04, 0], 0x6700),
        (&[0x00, 0xA4, 4, 0], 0x6E00),
        (&[0x80, 0x58, 0, 0], 0x6A81),
        (&[0x80, 0x7E, 0, 0], 0x6A81),
        (&[0x80, 0xF2, 0, 0], 0x6D00),
        (&[0x80, 0x16, 0, 1], 0x6E00),
        (&[0x84, 0x18, 0, 1], 0x6E00),
        (&[0x80, 0x04, 1, 0], 0x6A86),
        (&[0x80, 0x04, 0, 0, 0, 0, 0, 1], 0x6700),
        (&[0x80, 0x02, 0, 0, 3, 1], 0x6700),
        (&[0x80, 0x02, 0, 0, 1, 0x41, 0, 0], 0x6700),
        (&[0x80, 0x50, 0, 0], 0x6C00),
        (&[0x80, 0x14, 0, 1, 2, 0x10, 0], 0x698A),
    ] {
        assert_eq!(t.raw(apdu).sw, sw, "{apdu:02X?}");
    }
    let customs = t.open("eport");
    assert_eq!(t.ask(0x14, 0, USER, &customs, 2).sw, 0x6C00);
    assert_eq!(t.ask(0x14, 0, 7, &customs, 3).sw, 0x6A86);
}

#[test]
fn a_factory_says_what_it_does_not_take() {
    let device = shared_shield("syno-2015");
    let kind = |result: shared_shield::Result<()>| result.unwrap_err().kind();
    let with = |change: fn(&mut ApplicationSetup)| {
        let mut setup = setup("third", CUSTOMS_PIN, 5);
        change(&mut setup);
        device.create_application(&setup)
    };
    assert_eq!(kind(with(|s| s.name = "n".repeat(33))), ErrorKind::NameLength);
    assert_eq!(kind(with(|s| s.name = "eport".into())), ErrorKind::Argument);
    assert_eq!(kind(with(|s| s.user_pin = "12345".into())), ErrorKind::PinLength);
    assert_eq!(kind(with(|s| s.admin_pin = "1".repeat(17))), ErrorKind::PinLength);
    assert_eq!(kind(with(|s| s.user_pin = "12\t34567".into())), ErrorKind::PinEncoding);
    assert_eq!(kind(with(|s| s.user_tries = 11)), ErrorKind::Argument);
    assert_eq!(kind(device.create_container("nobody", "c")), ErrorKind::Argument);
    assert_eq!(kind(device.create_container("eport", &"c".repeat(65))), ErrorKind::NameLength);
    assert_eq!(kind(device.speak("klingon")), ErrorKind::Argument);
    assert_eq!(kind(Simulator::blank("").map(drop)), ErrorKind::Argument);
    assert_eq!(kind(Simulator::blank(&"9".repeat(33)).map(drop)), ErrorKind::NameLength);
    // Zero, the order of the curve, and n - 1, with which SM2 cannot sign.
    let order = "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123";
    let last = "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54122";
    for scalar in [vec![0; 32], crate::terminal::from_hex(order), crate::terminal::from_hex(last), vec![1; 31]] {
        let refused = device.import_key("eport", "declarant", Usage::Signing, Algorithm::Sm2, &scalar);
        assert_eq!(kind(refused.map(drop)), ErrorKind::Argument);
    }
    assert_eq!(kind(device.import_certificate("eport", "declarant", Usage::Signing, &[])), ErrorKind::Argument);
    device.generate("eport", "declarant", Algorithm::P256).unwrap();
    let refused = device.import_key("eport", "declarant", Usage::Encryption, Algorithm::Sm2, &[1; 32]);
    assert_eq!(kind(refused.map(drop)), ErrorKind::Argument, "one container, one kind of key");
}

#[test]
fn no_secret_stands_in_what_the_simulator_shows_of_itself() {
    let device = shared_shield("syno-2015");
    let shown = format!("{device:?} {:?}", setup("eport", CUSTOMS_PIN, 5));
    for secret in [CUSTOMS_PIN, BANK_PIN, ADMIN_PIN, "49, 50, 51"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
