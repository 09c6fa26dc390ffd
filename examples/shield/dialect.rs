//! The dialect in which a device of GM/T 0017 takes its PINs: what is shown of it, and what to write into the profile.

use shared_shield::{DoorInfo, PinForm, PinState, Profile, Result, Role, Selector, Shield};

use crate::args::Global;
use crate::screen::{Lang, Screen, clean};

/// What is known of the dialect of a device, for lists; `None` where its PINs need none.
pub(crate) fn text(door: &DoorInfo, form: Option<PinForm>, lang: Lang) -> Option<String> {
    let name = clean(&door.dialect);
    let proven = match form {
        None | Some(PinForm::Sure) if name.is_empty() => return None,
        // No certificate, so nothing was asked of a PIN.
        None => return Some(lang.pick(format!("dialect {name}"), format!("方言 {name}"))),
        Some(PinForm::Unknown) => {
            return Some(
                lang.pick(
                    "dialect not named: no PIN is sent (see: shield doctor)",
                    "未指定方言：不发送口令（见 shield doctor）",
                )
                .to_owned(),
            );
        }
        Some(PinForm::Sure) => lang.pick("accepted by this device before", "此设备曾接受"),
        Some(PinForm::Unproven { allowed: true }) => {
            lang.pick("never accepted by this device, may be tried", "此设备从未接受，允许试用")
        }
        Some(PinForm::Unproven { allowed: false }) => lang.pick("never accepted by this device", "此设备从未接受"),
    };
    Some(lang.pick(format!("dialect {name}, {proven}"), format!("方言 {name}，{proven}")))
}

/// The name that programs know.
pub(crate) fn form(form: PinForm) -> &'static str {
    match form {
        PinForm::Sure => "sure",
        PinForm::Unproven { .. } => "unproven",
        PinForm::Unknown => "unknown",
    }
}

/// Does `job`, which may send a PIN. Where the device has accepted one in its dialect for the first time, the person is told what to write into
/// the profile: then nobody needs `--try-dialect` for this device again.
pub(crate) fn tried<T>(
    (global, screen): (&Global, &Screen),
    shield: &Shield,
    (role, selector): (Role, &Selector),
    job: impl FnOnce() -> Result<T>,
) -> Result<T> {
    if !global.try_dialect {
        return job();
    }
    let form = || shield.pin_state(role, selector, &global.wait()).map(|state: PinState| state.form);
    let before = form();
    let done = job();
    if matches!(before, Ok(PinForm::Unproven { .. })) && matches!(form(), Ok(PinForm::Sure)) {
        let door = shield.doors().find(|door| !door.dialect.is_empty());
        door.into_iter().for_each(|door| tell(door, shield.profile(), screen));
    }
    done
}

fn tell(door: &DoorInfo, profile: &Profile, screen: &Screen) {
    let Some(rule) = door.atr.as_ref().and_then(|atr| profile.dialect(atr, &door.manufacturer, &door.model)) else {
        return;
    };
    let serials: Vec<_> = rule.proven.iter().chain([&door.serial]).map(|s| format!("{:?}", clean(s))).collect();
    let (name, line) = (clean(&rule.dialect), format!("proven = [{}]", serials.join(", ")));
    screen.note(screen.lang.pick(
        format!("The device has accepted a PIN in the dialect {name}. Write this into its [[cards.dialect]] in the profile:\n  {line}"),
        format!("设备已接受以方言 {name} 传送的口令。请在配置文件中该设备的 [[cards.dialect]] 内写入：\n  {line}"),
    ));
}
