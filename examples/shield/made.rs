//! What making a test shield gives, a shield in a PKCS#11 module or in the simulator, and why it may give nothing.

// Each program that includes this file uses a part of it.
#![allow(dead_code)]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use shared_shield::{Certificate, Error, ErrorKind};

use crate::test_ca::{TestCa, pem};

/// What was made.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// Serial numbers of the tokens: customs first.
    pub(crate) serials: Vec<String>,
    /// The profile that gives the certificates their roles and joins the tokens.
    pub(crate) profile: PathBuf,
    /// The certificates of both authorities; the customs one is the first.
    pub(crate) ca: PathBuf,
    /// The customs certificate.
    pub(crate) customs: PathBuf,
    /// The bank certificate.
    pub(crate) bank: PathBuf,
}

/// Why nothing was made.
#[derive(Debug)]
pub(crate) enum Fault {
    /// What was asked for cannot be made; another label or folder helps.
    Asked(String),
    /// The driver failed.
    Failed(String),
    /// What the library said: a file that cannot be written, among others.
    Said(Error),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Asked(what) | Fault::Failed(what) => f.write_str(what),
            Fault::Said(error) => error.fmt(f),
        }
    }
}

impl From<String> for Fault {
    fn from(what: String) -> Self {
        Fault::Failed(what)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Said(error)
    }
}

/// The files that go with a test shield.
pub(crate) struct Files([PathBuf; 4], NewFolders);

/// Folders that were made for it, the innermost first. Those that are empty in the end are removed: nothing came of them.
struct NewFolders(Vec<PathBuf>);

impl Drop for NewFolders {
    fn drop(&mut self) {
        for folder in &self.0 {
            // One that holds something stays, and so do those around it.
            let _ = fs::remove_dir(folder);
        }
    }
}

impl Files {
    /// Their places in a folder, which is made when it is not there. What is there already is not touched: then nothing is made.
    pub(crate) fn in_folder(dir: &Path) -> Result<Files, Fault> {
        let files = ["profile.toml", "ca.pem", "customs.pem", "bank.pem"].map(|name| dir.join(name));
        if let Some(there) = files.iter().find(|f| f.exists()) {
            return Err(Fault::Asked(format!("{} is there already: name another folder", there.display())));
        }
        let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && folder.symlink_metadata().is_err();
        let new = NewFolders(dir.ancestors().take_while(is_missing).map(Path::to_path_buf).collect());
        fs::create_dir_all(dir).map_err(|e| unwritten(dir, &e))?;
        Ok(Files(files, new))
    }

    /// Writes them: of both parties customs is the first.
    pub(crate) fn write(
        self,
        serials: Vec<String>,
        text: &str,
        [eport, banker]: [&TestCa; 2],
        certificates: [&[u8]; 2],
    ) -> Result<Made, Fault> {
        let Files([profile, ca, customs, bank], _folders) = self;
        write_new(&profile, text)?;
        write_new(&ca, &format!("{}{}", pem(eport.der())?, pem(banker.der())?))?;
        write_new(&customs, &pem(certificates[0])?)?;
        write_new(&bank, &pem(certificates[1])?)?;
        Ok(Made { serials, profile, ca, customs, bank })
    }
}

/// The profile's beginning: the rules that give what these authorities issue its role.
pub(crate) fn rules([eport, banker]: [&TestCa; 2]) -> String {
    let id = |ca: &TestCa| ca.key_id().iter().map(|o| format!("{o:02x}")).collect::<String>();
    format!(
        "# A test shield: invented names, keys in software. Nothing that is signed with it is for customs or for a bank.\n\
         schema = 1\nname = \"test shield\"\ntest = true\n\n\
         [[customs.issuer]]\norganisation = \"测试电子口岸 (SYNTHETIC)\"\nauthority_key_id = \"{}\"\n\
         require_eport_fields = true\n\n\
         [[bank.issuer]]\norganisation = \"Synthetic Test Bank\"\nauthority_key_id = \"{}\"\n",
        id(eport),
        id(banker)
    )
}

/// The rule for an imported certificate, which is self-signed as real signing certificates never are.
pub(crate) fn self_signed(certificate: &Certificate) -> String {
    let unit = certificate.issuer().unit().map(|unit| unit.replace('\\', "\\\\").replace('"', "\\\""));
    unit.map(|unit| format!("\n[[customs.issuer]]\nunit = \"{unit}\"\nallow_ca = true\n")).unwrap_or_default()
}

fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    let write = || File::create_new(path)?.write_all(text.as_bytes());
    write().map_err(|e| unwritten(path, &e))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::OutputFailed, "make test shield").io(error).detail(path.display().to_string())
}
