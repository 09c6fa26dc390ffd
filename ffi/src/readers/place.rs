//! Where the library that knows PC/SC lies: in the folder of this library, and nowhere else. A program that has this library inside (the static
//! one) has that folder: the program's own.
//!
//! Neither the working directory nor the environment says where: whoever may set those must not choose what is loaded.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::border::plugin::file_of;

/// The file, or what is missing.
pub(super) fn plug_in() -> Result<PathBuf, String> {
    let name = format!("{}shared_shield_pcsc{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let folder =
        folder().ok_or_else(|| format!("{name} is not looked for: the place of libshared_shield is not known"))?;
    let file = folder.join(&name);
    if file.is_file() { Ok(file) } else { Err(format!("{name} is not in {}", folder.display())) }
}

/// The folder of the file that this code was loaded from.
fn folder() -> Option<PathBuf> {
    let here = folder as fn() -> Option<PathBuf> as usize;
    // The loader's word may be relative to a working directory that has changed since (or be argv[0]); the kernel's never is.
    let file = std::fs::read("/proc/self/maps").ok().and_then(|maps| mapped(&maps, here)).or_else(|| {
        let said = PathBuf::from(file_of(here)?);
        if said.is_absolute() { said.canonicalize().ok() } else { None }
    })?;
    file.parent().map(Path::to_owned)
}

/// The absolute path of the file that is mapped at `address`. Lines are `start-end permissions offset device inode    path`; a file that was
/// replaced meanwhile has a word behind its name, but the folder is the same.
fn mapped(maps: &[u8], address: usize) -> Option<PathBuf> {
    maps.split(|octet| *octet == b'\n').find_map(|line| {
        let mut words = line.splitn(6, |octet| *octet == b' ');
        let range = std::str::from_utf8(words.next()?).ok()?;
        let (start, end) = range.split_once('-')?;
        let number = |hex| usize::from_str_radix(hex, 16).ok();
        let path = PathBuf::from(OsStr::from_bytes(words.nth(4)?.trim_ascii_start()));
        ((number(start)?..number(end)?).contains(&address) && path.is_absolute()).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_and_the_loader_know_the_same_folder_and_it_is_this_programs() {
        let program = std::env::current_exe().unwrap().canonicalize().unwrap();
        assert_eq!(folder().as_deref(), program.parent());
        let here = folder as fn() -> Option<PathBuf> as usize;
        let said = PathBuf::from(file_of(here).unwrap());
        assert_eq!(said.canonicalize().unwrap().parent(), program.parent());
        assert_eq!(file_of(8), None);
    }

    #[test]
    fn only_the_file_at_the_address_counts_and_only_an_absolute_path() {
        let maps = b"00400000-00410000 r-xp 00000000 fe:00 77                         /opt/a b/libx.so.1\n\
                     7f00aa000000-7f00aa001000 r-xp 00001000 fe:00 78                 /opt/old/liby.so (deleted)\n\
                     7f00bb000000-7f00bb001000 rw-p 00000000 00:00 0 \n\
                     7f00cc000000-7f00cc001000 rw-p 00000000 00:00 0                  [stack]\n";
        let at = |address| mapped(maps, address);
        assert_eq!(at(0x0040_0000), Some("/opt/a b/libx.so.1".into()));
        assert_eq!(at(0x7f00_aa00_0fff).unwrap().parent(), Some(Path::new("/opt/old")));
        assert_eq!([at(0x0041_0000), at(0x7f00_bb00_0010), at(0x7f00_cc00_0010), at(8)], [None, None, None, None]);
    }
}
