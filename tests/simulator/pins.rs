//! PINs: whose they are, what a wrong one costs, and that OpenSSL makes the same of the description.

use shared_shield::simulator::Algorithm;

use crate::terminal::{ADMIN, USER, by_openssl, cryptogram, hex};
use crate::{ADMIN_PIN, BANK_PIN, CUSTOMS_PIN, DIALECTS, shared_shield, terminal};

/// SW of a wrong PIN with so many tries left.
fn refused(dialect: &str, left: u16) -> u16 {
    if dialect == "syno-2015" { 0x630C | left << 4 } else { 0x63C0 | left }
}

#[test]
fn pins_are_accepted_in_the_form_that_openssl_makes_of_each_dialect() {
    for dialect in DIALECTS {
        let device = shared_shield(dialect);
        let t = terminal(&device, dialect);
        let customs = t.open("eport");
        for (who, pin) in [(USER, CUSTOMS_PIN), (ADMIN, ADMIN_PIN)] {
            let random = t.random(8);
            let made = by_openssl(&format!("{dialect}.verify"), &[pin, ADMIN_PIN, "654321", &hex(&random)]);
            assert_eq!(made, cryptogram(dialect, pin, &random), "the terminal of these tests makes the same");
            assert_eq!(t.send(0x18, 0, who, &[&customs[..], &made].concat()).sw, 0x9000, "{dialect}");
        }
    }
}

#[test]
fn pins_are_changed_and_unblocked_with_the_macs_that_openssl_makes() {
    let device = shared_shield("syno-2015");
    let t = terminal(&device, "syno-2015");
    let customs = t.open("eport");
    let made = |value: &str, pin: &str, new: &str| {
        by_openssl(value, &[pin, ADMIN_PIN, new, &hex(&t.random(8)), &hex(&customs)])
    };
    let change = made("syno-2015.change-pin", CUSTOMS_PIN, "a new one 16 chs");
    assert_eq!(t.raw(&t.apdu([0x84, 0x16, 0, USER], &change, None)).sw, 0x9000);
    assert_eq!(t.tries(customs, USER), (5, 5, false), "it is not the first any more");
    assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), refused("syno-2015", 4));
    assert_eq!(t.verify(customs, USER, "a new one 16 chs"), 0x9000);
    let unblock = made("syno-2015.unblock-pin", "unused", "654321");
    assert_eq!(t.raw(&t.apdu([0x84, 0x1A, 0, 0], &unblock, None)).sw, 0x9000);
    assert_eq!(t.verify(customs, USER, "654321"), 0x9000);
    assert_eq!(t.change_pin(customs, ADMIN, ADMIN_PIN, "another admin"), 0x9000);
    assert_eq!(t.verify(customs, ADMIN, "another admin"), 0x9000);
}

#[test]
fn where_the_mac_is_not_known_no_pin_is_changed() {
    for dialect in ["usbtool", "gm3000"] {
        let device = shared_shield(dialect);
        let t = terminal(&device, dialect);
        let customs = t.open("eport");
        assert_eq!(t.change_pin(customs, USER, CUSTOMS_PIN, "654321"), 0x6A81);
        assert_eq!(t.unblock(customs, ADMIN_PIN, "654321"), 0x6A81);
        assert_eq!(t.tries(customs, USER), (5, 5, true));
        assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
    }
}

#[test]
fn a_wrong_pin_costs_one_try_of_its_own_application_and_its_login() {
    for dialect in DIALECTS {
        let device = shared_shield(dialect);
        device.generate("eport", "declarant", Algorithm::Sm2).unwrap();
        let t = terminal(&device, dialect);
        let (customs, bank) = (t.open("eport"), t.open("bank"));
        let container = t.container(customs, "declarant");
        assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
        assert_eq!(t.verify(bank, USER, CUSTOMS_PIN), refused(dialect, 5));
        assert_eq!((t.tries(customs, USER).1, t.tries(bank, USER).1), (5, 5));
        assert_eq!(t.sign(customs, container, &[7; 32]).sw, 0x9000, "the other application's login is untouched");
        assert_eq!(t.verify(customs, USER, BANK_PIN), refused(dialect, 4));
        assert_eq!(t.sign(customs, container, &[7; 32]).sw, 0x6982);
        assert_eq!(t.verify(bank, USER, BANK_PIN), 0x9000);
        assert_eq!((t.tries(customs, USER).1, t.tries(bank, USER).1), (4, 6));
        assert_eq!(t.sign(customs, container, &[7; 32]).sw, 0x6982, "the bank's PIN opens no customs key");
        assert_eq!(t.verify(customs, ADMIN, ADMIN_PIN), 0x9000);
        assert_eq!(t.sign(customs, container, &[7; 32]).sw, 0x6982, "nor does the administrator's");
    }
}

#[test]
fn a_locked_pin_stays_locked_and_its_own_administrator_alone_unblocks_it() {
    for dialect in DIALECTS {
        let device = shared_shield(dialect);
        let t = terminal(&device, dialect);
        let (customs, bank) = (t.open("eport"), t.open("bank"));
        for left in [4, 3, 2, 1, 0] {
            assert_eq!(t.verify(customs, USER, "999999"), refused(dialect, left));
        }
        assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x6983);
        assert_eq!(t.tries(customs, USER), (5, 0, true));
        assert_eq!(t.verify(bank, USER, BANK_PIN), 0x9000);
        // Without a MAC there is no unblocking.
        if dialect != "syno-2015" {
            continue;
        }
        assert_eq!(t.change_pin(customs, USER, CUSTOMS_PIN, "654321"), 0x6983);
        assert_eq!(t.unblock(customs, "wrong admin", "654321"), refused(dialect, 2));
        assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x6983);
        assert_eq!(t.unblock(customs, ADMIN_PIN, "654321"), 0x9000);
        assert_eq!((t.tries(customs, USER), t.tries(customs, ADMIN)), ((5, 5, false), (3, 3, true)));
        assert_eq!(t.verify(customs, USER, "654321"), 0x9000);
        for left in [2, 1, 0] {
            assert_eq!(t.unblock(customs, "wrong admin", "123123"), refused(dialect, left));
        }
        assert_eq!(t.unblock(customs, ADMIN_PIN, "123123"), 0x6983);
        assert_eq!(t.verify(customs, USER, "654321"), 0x9000, "the user's PIN is another thing");
    }
}

#[test]
fn a_wrong_old_pin_costs_a_try_and_changes_nothing() {
    let device = shared_shield("syno-2015");
    let t = terminal(&device, "syno-2015");
    let customs = t.open("eport");
    assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
    assert_eq!(t.change_pin(customs, USER, "999999", "654321"), refused("syno-2015", 4));
    assert_eq!(t.tries(customs, USER), (5, 4, true));
    assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
    for new in ["12345", "", "1234\u{7f}56"] {
        assert_eq!(t.change_pin(customs, USER, CUSTOMS_PIN, new), 0x6A80, "{new:?}");
        assert_eq!(t.tries(customs, USER), (5, 5, true));
    }
    assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
}

#[test]
fn a_random_serves_once_and_for_the_next_command_alone() {
    for dialect in DIALECTS {
        let device = shared_shield(dialect);
        let t = terminal(&device, dialect);
        let customs = t.open("eport");
        let verify = |random: &[u8]| {
            let cryptogram = cryptogram(dialect, CUSTOMS_PIN, random);
            t.send(0x18, 0, USER, &[&customs[..], &cryptogram].concat()).sw
        };
        assert_eq!(verify(&[0; 8]), 0x6985, "there was none");
        let random = t.random(8);
        assert_eq!(t.tries(customs, USER).1, 5);
        assert_eq!(verify(&random), 0x6985, "another command came between");
        let random = t.random(8);
        assert_eq!(verify(&random), 0x9000);
        assert_eq!(verify(&random), 0x6985, "heard and said again");
        let old = t.random(8);
        let new = t.random(8);
        assert_eq!(verify(&old), refused(dialect, 4), "one that another followed");
        assert_ne!(old, new);
        let random = t.random(16);
        assert_eq!(verify(&random), 0x6985, "VerifyPIN goes with eight octets");
        assert_eq!(t.tries(customs, USER).1, 4, "what was not compared cost nothing");
    }
}

#[test]
fn a_login_ends_with_clear_secure_state_and_with_power_and_each_for_itself() {
    let device = shared_shield("gm3000");
    device.generate("eport", "declarant", Algorithm::Sm2).unwrap();
    device.generate("bank", "payer", Algorithm::Sm2).unwrap();
    let t = terminal(&device, "gm3000");
    let (customs, bank) = (t.open("eport"), t.open("bank"));
    let (declarant, payer) = (t.container(customs, "declarant"), t.container(bank, "payer"));
    assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
    assert_eq!(t.verify(bank, USER, BANK_PIN), 0x9000);
    assert_eq!(t.send(0x1C, 0, 0, &bank).sw, 0x9000);
    assert_eq!(t.sign(bank, payer, &[7; 32]).sw, 0x6982);
    assert_eq!(t.sign(customs, declarant, &[7; 32]).sw, 0x9000);
    assert_eq!(t.sign(customs, payer, &[7; 32]).sw, 0x9000, "ids are an application's own: this is the declarant's");
    device.card().lock().unwrap().reset();
    let customs = t.open("eport");
    let declarant = t.container(customs, "declarant");
    assert_eq!(t.sign(customs, declarant, &[7; 32]).sw, 0x6982);
}
