//! Files of odd lengths, odd names and odd kinds.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use page_ecc::{SealOptions, Uid};

use crate::stage::Stage;

#[test]
fn every_length_is_sealed_and_comes_back() {
    for len in [0, 1, 4095, 4096, 4097, 65536, 17 * 4096, 64 * 4096] {
        let stage = Stage::new(len, &[]);
        stage.expect(0, &["verify", "f"]);
        if len > 0 {
            stage.rot("f", |bytes| bytes[len / 2..].fill(0xEE));
            let run = stage.run(&["recover", "f"]);
            assert_eq!(run.code, if len < 40 * 4096 { 3 } else { 4 }, "{len}: {:#}", run.json);
        }
        stage.rot("f", |bytes| bytes.clone_from(&stage.body));
        stage.expect(0, &["verify", "f"]);
    }
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let stage = Stage::empty();
    assert!(Command::new("mkfifo").arg(stage.path("pipe")).status().unwrap().success());
    fs::create_dir(stage.path("dir")).unwrap();
    for name in ["pipe", "dir", "/dev/null"] {
        for command in ["protect", "verify", "recover"] {
            let run = stage.expect(1, &[command, name]);
            // A directory may be a store.
            let kind = if (command, name) == ("verify", "dir") { "store" } else { "not_regular" };
            assert_eq!(run.json["error"]["kind"], kind, "{command} {name}");
        }
        stage.expect(1, &["damage", name, "--flip-bit"]);
    }
    assert_eq!(stage.names(), ["dir", "pipe"]);
}

#[test]
fn a_link_is_followed_and_its_seal_stands_beside_it() {
    let stage = Stage::empty();
    fs::create_dir(stage.path("dir")).unwrap();
    fs::write(stage.path("dir/target"), [3; 9000]).unwrap();
    symlink("dir/target", stage.path("link")).unwrap();
    stage.expect(0, &["protect", "link"]);
    assert_eq!(stage.names(), ["dir", "link", "link.seal"]);
    stage.rot("dir/target", |bytes| bytes[..5000].fill(0));
    stage.expect(3, &["recover", "link"]);
    assert!(stage.read("dir/target") == [3; 9000]);
    assert!(fs::symlink_metadata(stage.path("link")).unwrap().is_symlink());
}

#[test]
fn names_need_not_be_text() {
    let stage = Stage::empty();
    let name = OsStr::from_bytes(b"a\xFFb");
    if fs::write(stage.path(name), [3; 9000]).is_err() {
        return; // Not every file system takes such names.
    }
    stage.expect(0, &[OsStr::new("protect"), name]);
    stage.expect(0, &[OsStr::new("verify"), name]);
    assert!(stage.path(OsStr::from_bytes(b"a\xFFb.seal")).exists());
}

#[test]
fn the_longest_name_is_told_to_be_too_long() {
    let stage = Stage::empty();
    let name = "n".repeat(255);
    fs::write(stage.path(&name), [3; 9000]).unwrap();
    let run = stage.expect(1, &["protect", &name]);
    assert_eq!(run.json["error"]["kind"], "io");
    assert!(run.stderr.contains("shorter name"), "{}", run.stderr);
    stage.expect(0, &["protect", &name, "--seal", "s"]);
    stage.expect(0, &["verify", &name, "--seal", "s"]);
}

#[test]
fn a_seal_is_read_by_those_who_may_read_the_file() {
    let stage = Stage::empty();
    fs::write(stage.path("f"), [3; 9000]).unwrap();
    fs::set_permissions(stage.path("f"), fs::Permissions::from_mode(0o640)).unwrap();
    stage.expect(0, &["protect", "f"]);
    assert_eq!(fs::metadata(stage.path("f.seal")).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_seal_that_cannot_be_written_leaves_nothing_behind() {
    let stage = Stage::empty();
    fs::write(stage.path("f"), [3; 9000]).unwrap();
    let run = stage.expect(1, &["protect", "f", "--seal", "no/such/dir/s"]);
    assert_eq!(run.json["error"]["kind"], "io");
    fs::create_dir(stage.path("f.seal")).unwrap();
    stage.expect(1, &["protect", "f"]);
    stage.expect(1, &["protect", "f", "--force"]);
    assert_eq!(stage.names(), ["f", "f.seal"]);
}

#[test]
fn a_file_sealed_in_itself_is_verified_and_recovered() {
    let stage = Stage::empty();
    let image = SealOptions::new(Uid::new([9; 16])).seal(&[42; 100_000]).unwrap().into_bytes();
    fs::write(stage.path("t"), &image).unwrap();
    assert_eq!(stage.expect(0, &["verify", "t"]).json["state"], "clean");
    stage.rot("t", |bytes| bytes[..20_000].fill(0));
    stage.expect(3, &["verify", "t"]);
    stage.expect(3, &["recover", "t", "--out", "u"]);
    stage.expect(3, &["recover", "t"]);
    assert!(stage.read("t") == image && stage.read("u") == image);
}

#[test]
fn nobody_reading_is_no_panic() {
    let stage = Stage::new(50_000, &[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_resilver"));
    command.args(["verify", "f"]).current_dir(stage.dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn text_says_what_was_found() {
    let stage = Stage::new(50_000, &[]);
    stage.rot("f", |bytes| bytes[..5000].fill(0));
    let output = stage.output(&["verify", "f"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("f with f.seal: damaged, and all of it comes back"), "{text}");
    assert!(text.contains("0-1    0..8192") && text.contains("rebuilt"), "{text}");
}
