//! What devices do beyond their dialect.

use shared_shield::simulator::{Algorithm, Habits, Usage};

use crate::terminal::USER;
use crate::{BANK_PIN, CUSTOMS_PIN, DIALECTS, shared_shield, terminal};

#[test]
fn a_device_with_one_open_application_opens_the_other_when_the_first_is_closed() {
    let device = shared_shield("gm3000");
    device.habits(Habits { one_application: true, ..Habits::default() });
    let t = terminal(&device, "gm3000");
    let customs = t.open("eport");
    assert_eq!(t.open("eport"), customs, "the same once more is no other");
    assert_eq!(t.ask(0x26, 0, 0, b"bank", 10).sw, 0x6A90);
    assert_eq!(t.close(customs), 0x9000);
    let bank = t.open("bank");
    assert_eq!(t.verify(bank, USER, BANK_PIN), 0x9000);
    assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x698A);
}

#[test]
fn a_device_that_opens_none_twice_refuses_the_one_that_is_open_until_it_is_closed() {
    let device = shared_shield("gm3000");
    device.habits(Habits { one_application: true, opens_none_twice: true, ..Habits::default() });
    let t = terminal(&device, "gm3000");
    let customs = t.open("eport");
    for name in [&b"eport"[..], b"bank"] {
        assert_eq!(t.ask(0x26, 0, 0, name, 10).sw, 0x6A90);
    }
    assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000, "it is open still");
    assert_eq!(t.close(customs), 0x9000);
    assert_eq!(t.open("eport"), customs);
}

#[test]
fn long_answers_come_in_parts_for_the_same_command_once_more() {
    for dialect in DIALECTS {
        let device = shared_shield(dialect);
        let certificate: Vec<u8> = (0..1000_u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
        device.import_certificate("eport", "declarant", Usage::Signing, &certificate).unwrap();
        let t = terminal(&device, dialect);
        let customs = t.open("eport");
        let of = [customs, t.container(customs, "declarant")].concat();
        let (plain, parts) = t.whole(0x4E, 1, 0, &of);
        assert_eq!((plain.len(), parts), (1004, 1));
        device.habits(Habits { more_data: true, ..Habits::default() });
        let (in_parts, parts) = t.whole(0x4E, 1, 0, &of);
        assert_eq!((in_parts, parts), (plain, 6));
        assert_eq!(t.whole(0x04, 0, 0, &[]).1, 2);
        // Another command in between ends the answer: the next part is the first again.
        let command = t.apdu([0x80, 0x4E, 1, 0], &of, Some(0));
        let first = t.raw(&command);
        assert_eq!(first.sw, 0x6A9E);
        t.random(8);
        assert_eq!(t.raw(&command), first);
        assert_ne!(t.raw(&command), first);
    }
}

#[test]
fn a_device_can_drop_the_login_after_each_signature() {
    for dialect in DIALECTS {
        let device = shared_shield(dialect);
        device.generate("eport", "declarant", Algorithm::Sm2).unwrap();
        device.habits(Habits { drops_login_after_signature: true, ..Habits::default() });
        let t = terminal(&device, dialect);
        let (customs, bank) = (t.open("eport"), t.open("bank"));
        let container = t.container(customs, "declarant");
        assert_eq!(t.verify(bank, USER, BANK_PIN), 0x9000);
        for _ in 0..2 {
            assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
            assert_eq!(t.sign(customs, container, &[7; 32]).sw, 0x9000);
            assert_eq!(t.sign(customs, container, &[7; 32]).sw, 0x6982);
        }
        assert_eq!(t.ask(0x40, 0, 0, &[&bank[..], b"second"].concat(), 2).sw, 0x9000, "the bank's login is its own");
    }
}

#[test]
fn closing_an_application_ends_its_login_where_the_device_has_that_habit() {
    for ends in [false, true] {
        let device = shared_shield("usbtool");
        device.generate("eport", "declarant", Algorithm::Sm2).unwrap();
        device.habits(Habits { close_ends_login: ends, ..Habits::default() });
        let t = terminal(&device, "usbtool");
        let customs = t.open("eport");
        assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
        assert_eq!(t.close(customs), 0x9000);
        assert_eq!(t.open("eport"), customs);
        let container = t.container(customs, "declarant");
        assert_eq!(t.sign(customs, container, &[7; 32]).sw, if ends { 0x6982 } else { 0x9000 });
    }
}

#[test]
fn where_no_extended_length_goes_short_commands_do_it_all() {
    for dialect in DIALECTS {
        let device = shared_shield(dialect);
        device.import_certificate("eport", "declarant", Usage::Signing, &[0x30; 700]).unwrap();
        let mut t = terminal(&device, dialect);
        // Source F alone speaks of short commands on a way that carries extended ones.
        t.short = true;
        assert_eq!(t.ask(0x50, 0, 0, &[], 8).sw, if dialect == "syno-2015" { 0x9000 } else { 0x6700 });
        let extended = device.atr();
        device.habits(Habits { short_only: true, ..Habits::default() });
        assert!(!device.card().lock().unwrap().extended());
        assert_eq!((extended[8], device.atr()[8]), (0x40, 0), "card capabilities");
        let customs = t.open("eport");
        assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
        let container = t.container(customs, "declarant");
        assert_eq!(t.certificate(customs, container, 1), [0x30; 700]);
        assert_eq!(t.whole(0x04, 0, 0, &[]).0.len(), 288);
        t.short = false;
        assert_eq!(t.ask(0x50, 0, 0, &[], 8).sw, 0x6700);
    }
}

#[test]
fn a_certificate_can_come_with_the_whole_of_its_file() {
    let device = shared_shield("syno-2015");
    device.import_certificate("eport", "declarant", Usage::Signing, &[0x30; 700]).unwrap();
    device.habits(Habits { whole_files: true, ..Habits::default() });
    let t = terminal(&device, "syno-2015");
    let customs = t.open("eport");
    let container = t.container(customs, "declarant");
    assert_eq!(t.whole(0x4E, 1, 0, &[customs, container].concat()).0.len(), 4096);
    assert_eq!(t.certificate(customs, container, 1), [0x30; 700]);
}

#[test]
fn the_atr_is_one() {
    let atr = shared_shield("syno-2015").atr();
    assert_eq!(atr.iter().skip(1).fold(0, |sum, octet| sum ^ octet), 0, "TCK");
    // TS, T0 with TD1, TD1 with TD2, TD2, historical bytes, TCK.
    assert_eq!(atr.len(), 4 + usize::from(atr[1] & 0x0F) + 1);
    assert!(atr.ends_with(&[b"SIM17"[0], b'I', b'M', b'1', b'7', atr[atr.len() - 1]]));
}
