//! What this computer has for smart cards: looked up in the file system, without rights and without running anything.

use std::fs;
use std::path::Path;

/// Where distributions put the daemon.
const SERVICE: [&str; 5] =
    ["/usr/sbin/pcscd", "/usr/bin/pcscd", "/sbin/pcscd", "/usr/local/sbin/pcscd", "/run/current-system/sw/bin/pcscd"];
/// Where they put its drivers for readers.
const DRIVERS: [&str; 6] = [
    "/usr/lib/pcsc/drivers",
    "/usr/lib64/pcsc/drivers",
    "/usr/lib/x86_64-linux-gnu/pcsc/drivers",
    "/usr/lib/aarch64-linux-gnu/pcsc/drivers",
    "/usr/local/lib/pcsc/drivers",
    "/usr/local/pcsc/drivers",
];
/// The driver of USB readers and keys.
const USB_DRIVER: &str = "ifd-ccid.bundle";
const USB: &str = "/sys/bus/usb/devices";
/// bInterfaceClass of smart-card devices (USB CCID 1.1 §4.3).
const SMART_CARD_CLASS: &str = "0b";
/// More devices than this on one computer are not looked at.
const USB_MAX: usize = 1024;

/// What is installed and plugged in, as far as the file system tells. `None`: it does not tell on this system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Host {
    /// System and processor, such as `linux x86_64`.
    pub system: String,
    /// Whether the smart-card service is installed.
    pub service: Option<bool>,
    /// Whether its driver for USB readers and keys is installed.
    pub usb_driver: Option<bool>,
    /// USB devices with a smart-card interface, as `vendor:product`. Keys with another interface (of their vendor's own) are not among them.
    pub usb: Vec<String>,
}

impl Host {
    pub(super) fn look() -> Self {
        let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        if !cfg!(target_os = "linux") {
            return Host { system, ..Host::default() };
        }
        let folders = || DRIVERS.iter().map(Path::new).filter(|folder| folder.is_dir());
        Host {
            system,
            service: Some(SERVICE.iter().any(|file| Path::new(file).exists())),
            // A service in an unusual place has its drivers there too.
            usb_driver: folders().next().map(|_| folders().any(|folder| folder.join(USB_DRIVER).exists())),
            usb: devices(Path::new(USB)),
        }
    }
}

/// `vendor:product` of every device that has an interface of the smart-card class. `1-4:1.0` is an interface of the device `1-4`.
fn devices(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten().take(USB_MAX) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some((device, _)) = name.split_once(':') else { continue };
        if read(&entry.path().join("bInterfaceClass")).as_deref() != Some(SMART_CARD_CLASS) {
            continue;
        }
        let of = |what: &str| read(&folder.join(device).join(what));
        if let (Some(vendor), Some(product)) = (of("idVendor"), of("idProduct")) {
            found.push(format!("{vendor}:{product}"));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// A short word of hex digits.
fn read(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?.trim().to_ascii_lowercase();
    (text.len() <= 4 && text.bytes().all(|b| b.is_ascii_hexdigit())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_plugged_in_is_seen_on_the_bus() {
        let folder = std::env::temp_dir().join(format!("shield-usb-{}", std::process::id()));
        let put = |path: &str, text: &str| {
            fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
            fs::write(folder.join(path), text).unwrap();
        };
        put("1-4/idVendor", "096E\n");
        put("1-4/idProduct", "0807\n");
        put("1-4:1.0/bInterfaceClass", "0b\n");
        put("1-4:1.1/bInterfaceClass", "03\n");
        put("2-1/idVendor", "046d\n");
        put("2-1/idProduct", "c31c\n");
        put("2-1:1.0/bInterfaceClass", "03\n");
        put("3-1:1.0/bInterfaceClass", "0b\n");
        assert_eq!(devices(&folder), ["096e:0807"]);
        assert!(devices(&folder.join("none")).is_empty());
        fs::remove_dir_all(&folder).unwrap();
    }
}
