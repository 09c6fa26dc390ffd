//! Which documents a batch is of: a folder, or a manifest.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Item;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::{BATCH_DOCUMENTS_MAX, BATCH_LIST_MAX};
use crate::source::open_ordinary;

const LIST: &str = "list documents";

/// Documents by their paths; the outputs have their names.
///
/// # Errors
/// `Argument` for a path without a name, and as [`folder`].
pub fn files(files: &[PathBuf], out: &Path) -> Result<Vec<Item>> {
    let named = files.iter().map(|file| match file.file_name() {
        Some(name) => Ok((file.clone(), PathBuf::from(name))),
        None => Err(Error::new(ErrorKind::Argument, LIST).detail(format!("{}: not a file", file.display()))),
    });
    items(named.collect::<Result<Vec<_>>>()?.into_iter(), out)
}

/// The messages of a folder: its ordinary files that end in `.xml` and do not begin with a dot, by name. Folders in it are not looked into. A
/// link that leads nowhere is one of them, so that somebody hears of it. Where there are none the list is empty.
///
/// # Errors
/// `InputFailed`; `Argument` where an output would be one of the documents, or where there are too many.
pub fn folder(folder: &Path, out: &Path) -> Result<Vec<Item>> {
    let failed =
        |e: std::io::Error| Error::new(ErrorKind::InputFailed, LIST).io(&e).detail(folder.display().to_string());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = PathBuf::from(entry.file_name());
        let is_xml = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("xml"));
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        // What cannot be looked at is refused by name when it is read, and not passed over.
        if is_xml && !is_hidden && fs::metadata(entry.path()).map_or(true, |m| m.is_file()) {
            names.push(entry.file_name());
        }
    }
    names.sort();
    items(names.into_iter().map(|name| (folder.join(&name), PathBuf::from(name))), out)
}

/// The documents of a manifest, an ordinary file: a text in UTF-8 with one document on a line, by its path (from the manifest's folder, or absolute), and after a tab the name
/// of its output, where that is another one. Empty lines and lines that begin with `#` are passed over.
///
/// # Errors
/// `InputFailed`; `Argument`, with the line, for an output that is no bare name; as [`folder`].
pub fn manifest(path: &Path, out: &Path) -> Result<Vec<Item>> {
    let failed = |e: std::io::Error| Error::new(ErrorKind::InputFailed, LIST).io(&e).detail(path.display().to_string());
    let mut octets = Vec::new();
    let file = open_ordinary(path).map_err(failed)?;
    file.take(BATCH_LIST_MAX.saturating_add(1)).read_to_end(&mut octets).map_err(failed)?;
    let refuse = |line: usize, what: &str| {
        Error::new(ErrorKind::Argument, LIST).detail(format!("{}, line {line}: {what}", path.display()))
    };
    if u64::try_from(octets.len()).unwrap_or(u64::MAX) > BATCH_LIST_MAX {
        let why = format!("{}: longer than {BATCH_LIST_MAX} octets", path.display());
        return Err(Error::new(ErrorKind::Argument, LIST).detail(why));
    }
    let text = String::from_utf8(octets).map_err(|e| {
        let good = e.as_bytes().get(..e.utf8_error().valid_up_to()).unwrap_or_default();
        let line = good.iter().filter(|o| **o == b'\n').count().saturating_add(1);
        refuse(line, "not UTF-8 (GBK, perhaps): save the manifest as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let beside = path.parent().unwrap_or(Path::new(""));
    let mut named = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#')) {
        let number = index.saturating_add(1);
        let (input, output) = line.split_once('\t').unwrap_or((line, ""));
        let name = match output {
            "" => Path::new(input).file_name().map(PathBuf::from).ok_or_else(|| refuse(number, "no file"))?,
            given if Path::new(given).file_name().is_some_and(|n| n == given) => PathBuf::from(given),
            _ => return Err(refuse(number, "the output is a name without a folder")),
        };
        named.push((beside.join(input), name));
    }
    items(named.into_iter(), out)
}

/// A name as the file system takes it: where case is ignored, two names that differ in it are one file.
fn as_one_file(name: PathBuf) -> PathBuf {
    match cfg!(any(windows, target_os = "macos")) {
        true => PathBuf::from(name.to_string_lossy().to_lowercase()),
        false => name,
    }
}

/// Two documents for one output, or an output that is a document, of its own or of another line, would lose one.
fn items(named: impl Iterator<Item = (PathBuf, PathBuf)>, out: &Path) -> Result<Vec<Item>> {
    let refuse =
        |path: &Path, why: String| Error::new(ErrorKind::Argument, LIST).detail(format!("{}: {why}", path.display()));
    let mut taken: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    let mut items = Vec::new();
    for (input, name) in named {
        let output = out.join(&name);
        if let Some(other) = taken.insert(as_one_file(name), input.clone()) {
            return Err(refuse(&input, format!("would be written to the same output as {}", other.display())));
        }
        items.push(Item { input, output });
        if items.len() > BATCH_DOCUMENTS_MAX {
            return Err(refuse(out, format!("more than {BATCH_DOCUMENTS_MAX} documents")));
        }
    }
    let whole = |path: &Path| path.canonicalize().ok();
    let inputs: BTreeMap<PathBuf, &Item> = items.iter().filter_map(|i| Some((whole(&i.input)?, i))).collect();
    for item in &items {
        match whole(&item.output).and_then(|output| inputs.get(&output)) {
            Some(lost) if lost.input == item.input => {
                let why = "would be replaced by its own output: choose another folder";
                return Err(refuse(&item.input, why.to_owned()));
            }
            Some(lost) => {
                let why = format!("would be replaced by the output of {}", item.input.display());
                return Err(refuse(&lost.input, why));
            }
            None => {}
        }
    }
    Ok(items)
}
