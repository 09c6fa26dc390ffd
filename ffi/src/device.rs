//! One shield.

use shield::ErrorKind;

use crate::border::{export, refuse};
use crate::types::Selector;
use crate::{Credential, Device, at, no_field};

/// The serial number that names it to people.
pub const SHIELD_DEVICE_SERIAL: u32 = 1;
/// Manufacturer and model of its first token.
pub const SHIELD_DEVICE_MODEL: u32 = 2;

export! {
    /// A text of a shield: `SHIELD_DEVICE_*`.
    fn shield_device_text(device: *const Device, field: u32) -> text {
        let model = || device.doors().next().map(|d| format!("{} {}", d.manufacturer, d.model)).unwrap_or_default();
        Ok(match field {
            SHIELD_DEVICE_SERIAL => device.serial().to_owned(),
            SHIELD_DEVICE_MODEL => model().trim().to_owned(),
            _ => return no_field(field),
        })
    }
}

export! {
    /// How many certificates it holds, those that serve no role included.
    fn shield_device_credential_count(device: *const Device) -> (count: *mut usize) {
        Ok((device.certificates().len(),))
    }
}

export! {
    /// A certificate by its place, from 0, as it stands now.
    fn shield_device_credential_at(device: *const Device, index: usize) -> (credential: *mut *mut Credential) {
        at(&device.certificates(), index).map(|c| (c.clone(),))
    }
}

export! {
    /// The certificate that serves a role, or an error that lists all with the reason for each. The selector must name the role.
    fn shield_device_credential(device: *const Device, selector: *const Selector) -> (credential: *mut *mut Credential) error {
        let role = selector.role.ok_or_else(|| refuse(ErrorKind::Argument, "selector.role is needed"))?;
        let serves = device.credential(role, &selector.selector)?;
        let listed = device.certificates().into_iter().find(|l| l.certificate.fingerprint() == serves.fingerprint);
        listed.map(|l| (l,)).ok_or_else(|| refuse(ErrorKind::CertificateChanged, "it is not in the list"))
    }
}

export! {
    /// Frees a shield. Batches that were opened on it stay.
    fn shield_device_free(device: *mut Device) -> () {
        drop(device);
        Ok(())
    }
}
