//! Five hundred signatures of both parties, alternating, each under its own PIN: alone, beside a program that uses the shield badly, and on devices
//! that open one application at a time or drop the login after each signature.

use std::time::{Duration, Instant};

use shared_shield::simulator::Habits;
use shared_shield::{Declined, PinEntry, PinQuestion, Policy, Role, Shield, Unlock, Wait};

use crate::child::{self, COUNTED};
use crate::desk::{Document, Judges, Neighbour, neighbour, shield};
use crate::gm_remote::{self, Remote};
use crate::gm_shield::{Kind, SYNO, issued, pin};
use crate::pcscd::Pcscd;
use crate::sm2_judge;

const SIGNATURES: usize = 500;
/// One of so many documents is a payment.
const PAYMENT: usize = 10;
/// One of so many of each party is judged by openssl, with a copy that is changed.
const JUDGED: usize = 10;

fn long() -> Wait {
    Wait::at_most(Duration::from_secs(30))
}

/// A customs batch on one handle, and payments one by one on the same or another one: how often somebody was asked, how many openssl has judged, and
/// what failed.
fn sign_many(customs: &Shield, bank: &Shield, keep_login: bool, pause: Duration) -> (usize, usize, Vec<String>) {
    let judges = Judges::of(customs);
    let (mut prompts, mut judged, mut made, mut failures) = (0, 0, [0; 2], Vec::new());
    let mut entered = |q: &PinQuestion<'_>| {
        prompts += 1;
        assert!(q.also_opens.is_empty(), "a PIN for one party alone");
        q.pin(pin(q.role).as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
    };
    let policy = Policy { resends: 300, keep_login, ..Policy::of(Role::Customs) };
    let session = customs.unlock(Unlock::of(Role::Customs).policy(policy), &mut entered, &long()).unwrap();
    for n in 0..SIGNATURES {
        // Two programs take turns of two seconds, so these change less often.
        let is_payment = if keep_login { n % 100 >= 90 } else { n % PAYMENT == PAYMENT - 1 };
        let role = if is_payment { Role::Bank } else { Role::Customs };
        let (document, mut out) = (Document::new(role, n), Vec::new());
        let signed = match role {
            Role::Customs => session.sign(document.request(), &long(), &mut out),
            _ => bank.sign(document.request(), &mut entered, &long(), &mut out),
        };
        std::thread::sleep(pause);
        match signed {
            Ok(receipt) => {
                assert_eq!((receipt.role, receipt.suite.name()), (role, "sm2-sm3"));
                let made = &mut made[usize::from(is_payment)];
                *made += 1;
                if *made % JUDGED == 1 {
                    document.is_judged(&judges, &out);
                    judged += 1;
                }
            }
            Err(error) => failures.push(format!("{role} {n}: {error}")),
        }
    }
    session.end();
    (prompts, judged, failures)
}

fn five_hundred(name: &str, habits: Habits, beside: Option<Duration>, check: impl FnOnce(&Remote)) {
    let missing = sm2_judge::missing().or_else(|| {
        (beside.is_some() && neighbour().is_none()).then(|| "tests/cards is not built (see its README)".to_owned())
    });
    if let Some(reason) = missing {
        return child::skip(name, &reason);
    }
    let issue = || issued(Kind::Sm2, SYNO, habits, &Role::ALL);
    gm_remote::story(&format!("many::{name}"), issue, |pcscd: &Pcscd, remote: &Remote| {
        let (begun, customs) = (Instant::now(), shield());
        // Alone, customs and the bank have a program each. Beside a neighbour one program does both.
        let bank = if beside.is_some() { customs.clone() } else { shield() };
        let neighbour = beside.map(|_| Neighbour::annoys(pcscd, remote.reader()));
        let (prompts, judged, failures) = sign_many(&customs, &bank, beside.is_none(), beside.unwrap_or_default());
        let annoyed = neighbour.map(Neighbour::end).unwrap_or_default();
        let (logins, refused) = remote.logins();
        let took = begun.elapsed();
        let said = format!(
            "{COUNTED}{name}: {SIGNATURES} signatures in {took:.1?}, {prompts} prompts, {logins} logins, {refused} refused, {judged} judged by openssl; {annoyed}"
        );
        child::tell(&format!("\n{said}"));
        assert!(failures.is_empty(), "{} failed: {failures:?}", failures.len());
        assert_eq!(prompts, 1 + SIGNATURES / PAYMENT, "one for the batch, one for each payment");
        assert_eq!(refused, 0, "the ledger balances: no PIN was refused");
        assert_eq!(judged, SIGNATURES / JUDGED);
        check(remote);
    });
}

#[test]
fn five_hundred_declarations_and_payments_lose_no_login_to_each_other() {
    five_hundred(
        "five_hundred_declarations_and_payments_lose_no_login_to_each_other",
        Habits::default(),
        None,
        // The customs login is kept by its policy, and no payment ends it.
        |remote| assert_eq!(remote.logins().0, 1 + SIGNATURES / PAYMENT),
    );
}

#[test]
fn five_hundred_beside_a_program_that_opens_closes_and_resets() {
    // So slow that the neighbour also keeps the reader to itself.
    let beside = Some(Duration::from_millis(20));
    five_hundred("five_hundred_beside_a_program_that_opens_closes_and_resets", Habits::default(), beside, |remote| {
        assert!(remote.seen().iter().any(|seen| seen.ins == 0x22), "the neighbour looks at its applications")
    });
}

#[test]
fn five_hundred_where_one_application_is_open_at_a_time() {
    let habits = Habits { one_application: true, ..Habits::default() };
    five_hundred("five_hundred_where_one_application_is_open_at_a_time", habits, Some(Duration::ZERO), |remote| {
        assert!(remote.seen().iter().any(|seen| seen.sw == 0x6A90), "the device did refuse a second one");
    });
}

#[test]
fn five_hundred_where_each_signature_drops_the_login() {
    let habits = Habits { drops_login_after_signature: true, ..Habits::default() };
    five_hundred("five_hundred_where_each_signature_drops_the_login", habits, Some(Duration::ZERO), |remote| {
        let (logins, signatures) = (remote.logins().0, remote.seen().iter().filter(|s| s.ins == 0x74).count());
        assert!(logins >= SIGNATURES && signatures >= SIGNATURES, "{logins} logins, {signatures} signatures");
    });
}
