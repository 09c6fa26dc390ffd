//! Which doors lead to one shield.

use super::survey::Seen;
use crate::door::DoorInfo;
use crate::profile::Join;

/// Groups doors by device, in the order in which they were seen.
///
/// - Tokens of one module with one serial number are parts of one shield, as OpenSC shows a card with two PINs. A serial number that
///   is empty, blank or all zeros says nothing.
/// - Tokens of one module that the profile names together are one shield, whatever their serial numbers.
/// - Doors of different modules or ways with a certificate in common, and with one serial number or one reader, are one token, reached in
///   two ways. A module over PC/SC names its slots after the readers; its serial numbers are written in other forms than ours.
/// - Every other token is a shield of its own.
pub(super) fn join(seen: Vec<Seen>, joins: &[Join]) -> Vec<Vec<Seen>> {
    let mut groups: Vec<Vec<Seen>> = Vec::new();
    for door in seen {
        // A door may join groups that were apart until now.
        let (joined, apart): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.iter().any(|other| are_one(other, &door, joins)));
        groups = apart;
        let mut group: Vec<Seen> = joined.into_iter().flatten().collect();
        group.push(door);
        groups.push(group);
    }
    groups
}

fn are_one(a: &Seen, b: &Seen, joins: &[Join]) -> bool {
    let (one, two) = (a.door.info(), b.door.info());
    if a.source == b.source {
        return same_serial(one, two) || joins.iter().any(|j| names(j, &one.serial) && names(j, &two.serial));
    }
    is_one_device(one, two) && shares_certificate(a, b)
}

/// Whether two doors of different modules or ways say that they lead to one device.
pub(super) fn is_one_device(one: &DoorInfo, two: &DoorInfo) -> bool {
    same_serial(one, two) || same_reader(&one.reader, &two.reader)
}

/// Whether two doors tell one serial number, and it says something.
pub(super) fn same_serial(one: &DoorInfo, two: &DoorInfo) -> bool {
    one.serial == two.serial && tells(&one.serial)
}

/// CK_SLOT_INFO holds 64 octets: a longer reader's name is cut there.
fn same_reader(a: &str, b: &str) -> bool {
    let cut = |text: &str| text.bytes().take(64).collect::<Vec<_>>();
    !a.is_empty() && cut(a) == cut(b)
}

fn names(join: &Join, serial: &str) -> bool {
    tells(serial) && join.serials.iter().any(|s| s == serial)
}

fn tells(serial: &str) -> bool {
    serial.chars().any(|c| !c.is_whitespace() && c != '0')
}

fn shares_certificate(a: &Seen, b: &Seen) -> bool {
    a.contents.iter().any(|(_, x)| b.contents.iter().any(|(_, y)| x.fingerprint() == y.fingerprint()))
}
