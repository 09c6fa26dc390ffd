//! The computer's readers where there is no smart-card service: who names a driver has no use for one, and everybody else is told what to do.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::program::{Desk, Ran, built};

fn bare(desk: &Desk, args: &[&str]) -> Ran {
    Ran::of(&desk.command(built("shield")).args(args).output().unwrap())
}

#[test]
fn who_names_a_driver_hears_nothing_of_a_service_that_is_not_there() {
    let Some(desk) = Desk::new("who_names_a_driver", &[]) else { return };
    for args in [&["list"][..], &["list", "--json"], &["info"]] {
        let ran = desk.shield(args).expect(0, &[]);
        assert!(ran.err.is_empty() && !ran.out.contains("SH-1020") && !ran.out.contains("Reader"), "{ran:?}");
        let same = desk.shield(&[args, &["--no-readers"]].concat()).expect(0, &[]);
        assert_eq!(same.out, ran.out);
    }
    let signed = desk.declare(&["CEB621.xml"], &["--pin-env", "CUSTOMS_PIN"]).expect(0, &["1 signed"]);
    assert!(!signed.err.contains("SH-1020"), "{signed:?}");
    // A driver's own trouble is told alone.
    let failed = bare(&desk, &["list", "--module", "/no/such/module.so"]).expect(3, &["SH-1010"]);
    assert!(!failed.err.contains("SH-1020"), "{failed:?}");
    // Who asks for a reader wants to hear of it.
    desk.shield(&["list", "--reader", "Maker"]).expect(0, &["SH-1020"]);
}

#[test]
fn without_a_driver_and_without_a_service_the_way_out_is_told() {
    let Some(desk) = Desk::empty("without_a_driver_and_without_a_service") else { return };
    desk.write("CEB621.xml", "<x/>");
    let start = "start the smart-card service";
    bare(&desk, &["list"]).expect(3, &["SH-1020", start, "--module PATH"]);
    bare(&desk, &["list", "--lang", "zh"]).expect(3, &["智能卡服务未运行", "启动智能卡服务", "--module PATH"]);
    bare(&desk, &["list", "--json"]).expect(3, &["\"SH-1020\"", "StartPcscd"]);
    bare(&desk, &["sign-declaration", "CEB621.xml", "--out-dir", "out"]).expect(3, &["SH-1020", start]);
    for command in [&["change-pin", "--role", "bank"][..], &["unblock", "--role", "bank"], &["change-puk"]] {
        bare(&desk, command).expect(3, &["SH-1020", start]);
    }
    bare(&desk, &["list", "--no-readers"]).expect(2, &["SH-9002", "--module PATH"]);
    bare(&desk, &["list", "--no-readers", "--reader", "Maker"]).expect(2, &["cannot be used with"]);
    // What stands in the way of a role that the named driver does not have.
    desk.make("shield", &[]);
    let strange = ["sign-raw", "CEB621.xml", "--role", "bank", "--out", "x.sig", "--pin-env", "BANK_PIN"];
    desk.bare(&strange).expect(5, &["SH-3001", "the readers could not be looked at, SH-1020"]);
}

#[test]
fn a_certificate_is_opened_by_the_reference_that_the_list_shows() {
    let Some(desk) = Desk::new("a_certificate_is_opened_by_the_reference", &["--label", "Synthetic Person"]) else {
        return;
    };
    let list = desk.shield(&["list", "--json"]).expect(0, &[]).json();
    let all = list["shields"][0]["certificates"].as_array().unwrap();
    let of = |role: &str| {
        let one = all.iter().find(|c| c["role"] == role && c["standing"] == "serves").unwrap();
        assert_eq!(one["references"].as_array().unwrap().len(), 1);
        one["references"][0].as_str().unwrap().to_owned()
    };
    let (customs, bank) = (of("customs"), of("bank"));
    assert!(customs.starts_with("pkcs11:") && customs != bank && !customs.contains("Person"), "{customs}");
    desk.shield(&["list"]).expect(0, &[&format!("by way of {customs}"), &format!("by way of {bank}")]);
    let pin = ["--pin-env", "CUSTOMS_PIN", "--credential"];
    desk.declare(&["CEB621.xml"], &[&pin[..], &[&customs]].concat()).expect(0, &["1 signed"]);
    // The other certificate is none that declares, and a text that is no reference is none.
    desk.declare(&["CEB311.xml"], &[&pin[..], &[&bank]].concat())
        .expect(5, &["SH-3001", "Now: choose another certificate"]);
    desk.declare(&["CEB311.xml"], &[&pin[..], &["9A"]].concat()).expect(2, &["DOOR/PLACE/FINGERPRINT"]);
    let unknown = format!("pkcs11:other.so:1//{}", "ab".repeat(32));
    desk.declare(&["CEB311.xml"], &[&pin[..], &[&unknown]].concat()).expect(3, &["SH-1004"]);
}

#[test]
fn a_drivers_pin_is_changed_and_its_unlock_code_is_not_asked_for() {
    let Some(desk) = Desk::new("a_drivers_pin_is_changed", &["--label", "Synthetic Person"]) else { return };
    let change = ["change-pin", "--role", "customs"];
    let to = |old: &str, new: &str| {
        desk.shield(&[&change[..], &["--pin-env", old, "--new-pin-env", new, "--try-again"]].concat())
    };
    to("WRONG_PIN", "BANK_PIN").expect(4, &["SH-2001"]);
    to("CUSTOMS_PIN", "BANK_PIN").expect(0, &["tries left:", "changed the customs PIN\n"]);
    desk.declare(&["CEB621.xml"], &["--pin-env", "CUSTOMS_PIN"]).expect(4, &["SH-2001"]);
    desk.declare(&["CEB621.xml"], &["--pin-env", "BANK_PIN", "--try-again"]).expect(0, &["1 signed"]);
    // No terminal is there: a question would fail with another error.
    for args in [&["unblock", "--role", "customs"][..], &["change-puk", "--role", "bank"]] {
        let ran = desk.shield(args).expect(8, &["SH-9001", "has no unlock code"]);
        assert!(!ran.err.contains("Person"), "{ran:?}");
    }
    desk.shield(&[&change[..], &["--try-again", "--pin-fd", "0", "--new-pin-fd", "0"]].concat())
        .expect(2, &["a descriptor each"]);
    desk.shield(&[&change[..], &["--new-pin-env", "NO_SUCH"]].concat()).expect(2, &["NO_SUCH", "not set"]);
    desk.shield(&["change-puk"]).expect(2, &["SH-9002", "say --role"]);
}

/// The exit code, if it ends soon; otherwise it is killed.
fn ended(child: &mut Child) -> Option<i32> {
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(10) {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

fn signal(child: &Child, name: &str) {
    let sent = std::process::Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn watching_begins_without_a_service_and_ends_at_ctrl_c() {
    let Some(desk) = Desk::empty("watching_begins_without_a_service") else { return };
    bare(&desk, &["watch", "--for", "1"]).expect(0, &["the smart-card service does not run"]);
    bare(&desk, &["watch", "--for", "1", "--lang", "zh"]).expect(0, &["智能卡服务未运行"]);
    let line = bare(&desk, &["watch", "--for", "1", "--json"]).expect(0, &[]);
    assert_eq!(line.json()["event"], "service-stopped");
    assert_eq!(line.out.lines().count(), 1, "{}", line.out);
    bare(&desk, &["watch", "--no-readers"]).expect(2, &["nothing to watch"]);
    for name in ["-INT", "-TERM"] {
        let mut command = desk.command(built("shield"));
        let mut child = command.args(["watch", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut first = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
        signal(&child, name);
        assert_eq!(ended(&mut child), Some(0), "{name}");
    }
}
