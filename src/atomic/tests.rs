use super::*;

#[test]
fn a_failing_writer_leaves_the_old_file_whole_and_nothing_else() {
    let folder = std::env::temp_dir().join(format!("shield-atomic-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("signed.xml");
    fs::write(&path, b"old").unwrap();
    let refused = write_whole(&path, |out| {
        out.write_all(b"half").unwrap();
        Err::<(), _>(Error::new(ErrorKind::SignatureWrong, "test"))
    });
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::SignatureWrong);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    write_whole(&path, |out| out.write_all(b"new").map_err(|e| Error::new(ErrorKind::OutputFailed, "t").io(&e)))
        .unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    let folder_as_file = write_whole(&folder, |_| Ok(()));
    assert_eq!(folder_as_file.unwrap_err().kind(), ErrorKind::OutputFailed);
    fs::remove_dir_all(&folder).unwrap();
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("shield-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn put(out: &mut dyn Write, octets: &[u8]) -> Result<()> {
    out.write_all(octets).map_err(|e| Error::new(ErrorKind::OutputFailed, "test").io(&e))
}

#[test]
fn what_another_process_made_meanwhile_is_not_replaced() {
    let folder = folder("atomic-new");
    let path = folder.join("signed.xml");
    let refused = write_new(&path, |out| {
        put(out, b"mine")?;
        fs::write(&path, b"theirs").unwrap();
        Ok(())
    });
    let refused = refused.unwrap_err();
    assert_eq!((refused.kind(), refused.io_kind()), (ErrorKind::OutputFailed, Some(io::ErrorKind::AlreadyExists)));
    assert!(refused.to_string().contains("signed.xml is there already"), "{refused}");
    let asked = write_new(&path, |_| -> Result<()> { panic!("somebody was asked") });
    assert_eq!(asked.unwrap_err().io_kind(), Some(io::ErrorKind::AlreadyExists));
    assert_eq!(fs::read(&path).unwrap(), b"theirs");
    fs::remove_file(&path).unwrap();
    write_new(&path, |out| put(out, b"mine")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn nothing_lies_beside_the_target_before_the_first_octet() {
    let folder = folder("atomic-lazy");
    let path = folder.join("signed.xml");
    write_whole(&path, |out| {
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        put(out, b"x")?;
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        Ok(())
    })
    .unwrap();
    write_whole(&folder.join("empty"), |_| Ok(())).unwrap();
    assert_eq!(fs::read(folder.join("empty")).unwrap(), b"");
    let gone = write_whole(&path, |out| {
        fs::remove_dir_all(&folder).unwrap();
        put(out, b"y")
    });
    assert!(gone.unwrap_err().to_string().contains("signed.xml"));
    let asked = write_whole(&path, |_| -> Result<()> { panic!("somebody was asked") });
    assert_eq!(asked.unwrap_err().io_kind(), Some(io::ErrorKind::NotFound));
}

#[test]
fn a_name_as_long_as_the_file_system_takes_can_be_written_and_what_a_kill_leaves_of_it_is_known() {
    let folder = folder("atomic-long");
    // 83 characters of 3 octets, and the end: 253 octets.
    for name in [format!("{}.xml", "报".repeat(83)), "x".repeat(255), "short".to_owned()] {
        let path = folder.join(&name);
        write_new(&path, |out| {
            put(out, b"x")?;
            let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
            let part = names.iter().filter_map(|n| n.to_str()).find(|n| n.ends_with(".part")).unwrap();
            assert!(is_part_of(part, &name) && !is_part_of(part, "another") && part.len() < 100, "{part}");
            Ok(())
        })
        .unwrap();
        check_output(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"x");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
    let long = check_output(&folder.join("x".repeat(256))).unwrap_err();
    assert_eq!(long.kind(), ErrorKind::OutputFailed);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_a_kill_leaves_of_one_long_name_is_not_taken_for_anothers_that_begins_like_it() {
    let folder = folder("atomic-alike");
    let names = ["1.state", "2.state"].map(|end| format!("{}{end}", "a".repeat(70)));
    write_new(&folder.join(&names[0]), |out| {
        put(out, b"x")?;
        let all: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        let part = all.iter().filter_map(|n| n.to_str()).find(|n| n.ends_with(".part")).unwrap();
        assert!(is_part_of(part, &names[0]) && !is_part_of(part, &names[1]), "{part}");
        assert!(!is_part_of(part, &"a".repeat(64)), "{part}");
        Ok(())
    })
    .unwrap();
    fs::remove_dir_all(&folder).unwrap();
}

#[cfg(unix)]
#[test]
fn a_replaced_file_keeps_its_rights_and_only_ordinary_files_are_replaced() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    let folder = folder("atomic-rights");
    let path = folder.join("private");
    fs::write(&path, b"old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    write_whole(&path, |out| put(out, b"new")).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let refused = write_whole(&path, |_| -> Result<()> { panic!("somebody was asked") }).unwrap_err();
    assert!(refused.to_string().contains("write-protected"), "{refused}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let link = folder.join("link");
    symlink(&path, &link).unwrap();
    let socket = folder.join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    for (target, word) in [(&link, "symbolic link"), (&socket, "device")] {
        let refused = write_whole(target, |_| -> Result<()> { panic!("somebody was asked") }).unwrap_err();
        assert!(refused.to_string().contains(word), "{refused}");
        assert!(write_new(target, |_| Ok(())).is_err());
        assert!(!target.symlink_metadata().unwrap().is_file());
    }
    assert_eq!(fs::read(&path).unwrap(), b"new");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_name_that_is_not_taken_is_told_from_a_folder_that_takes_nothing() {
    let folder = folder("atomic-place");
    check_place(&folder.join("signed.xml")).unwrap();
    let of_name = check_place(&folder.join("a\0b")).unwrap_err();
    assert!(!of_name.to_string().contains("no file can be made"), "{of_name}");
    check_place(&folder.join("another.xml")).unwrap();
    let of_folder = check_place(&folder.join("none").join("signed.xml")).unwrap_err();
    assert!(of_folder.to_string().contains("no file can be made in"), "{of_folder}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    fs::remove_dir_all(&folder).unwrap();
}
