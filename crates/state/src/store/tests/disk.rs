//! A disk that is full or read-only: what is refused, what is owed, and the recovery.

use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use super::*;

/// Logs of a child process.
fn log_to(path: &Path) {
    let file = fs::File::create(path).expect("a file");
    let subscriber = tracing_subscriber::fmt().with_writer(Mutex::new(file));
    subscriber.with_ansi(false).init();
}

/// Runs the child for one caller alone, because its log is the whole process's.
fn run(child: &mut Command) {
    let output = child.output().expect("run");
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{error}");
    assert!(said.contains("1 passed"), "{said}");
}

#[on_sqlite("a file that cannot grow")]
fn ends_that_a_full_database_refuses_are_owed() {
    let folder = for_tests::folder();
    let store = for_tests::open(&folder);
    let open = begin_once(&store, 1).expect("begun");
    for_tests::fill(&store);
    let end = open.end(answered(&"x".repeat(60_000)));
    // It is written before the next change; the limit went with the connection.
    create(&store, "after").expect("made");
    end.wait().expect("told once it is written");
    let known = store.known_call(&once(OnceKind::Key, 1)).wait();
    let done = crate::calls::KnownCall::Done("x".repeat(60_000).into_bytes());
    assert_eq!(known, Ok(Some(done)));
}

/// By the limit on the size of files, like a full disk: every write fails until it is lifted.
#[on_sqlite("a file that cannot grow")]
#[cfg(target_os = "linux")]
fn a_full_disk_refuses_changes_loses_no_end_and_recovers() {
    const NAME: &str =
        "store::tests::disk::a_full_disk_refuses_changes_loses_no_end_and_recovers::sqlite";
    let Some((role, place)) = for_tests::role() else {
        for role in ["end", "exit"] {
            let folder = for_tests::folder();
            let child = for_tests::child(NAME, role, &folder);
            // The limit's signal would end it.
            let mut shell = Command::new("sh");
            shell.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
            shell.arg(child.get_program()).args(child.get_args());
            shell.envs(
                child
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
            run(&mut shell);
            let log = fs::read_to_string(folder.path().join("log")).expect("read");
            let count = |part: &str| log.matches(part).count();
            assert_eq!(count("the store cannot be written"), 1, "{log}");
            assert_eq!(count("the store can be written again"), 1, "{log}");
            let store = for_tests::open(&folder);
            let known = store.known_call(&once(OnceKind::Key, 1)).wait();
            let done = crate::calls::KnownCall::Done("x".repeat(20_000).into_bytes());
            assert_eq!(known, Ok(Some(done)));
            let names = "SELECT COUNT(*) AS n FROM access_key WHERE name LIKE 'full%'";
            assert_eq!(for_tests::number(&folder, names), 0);
        }
        return;
    };
    log_to(&place.path().join("log"));
    let store = for_tests::open(&place);
    create(&store, "before").expect("made");
    let open = begin_once(&store, 1).expect("begun");
    let wal = place.path().join("services.example.com.db-wal");
    let used = fs::metadata(&wal).expect("there").len();
    limit(&(used + 1_000).to_string());
    let end = open.end(answered(&"x".repeat(20_000)));
    for number in 0..5 {
        let error = create(&store, &format!("full {number}")).map(drop);
        let error = error.expect_err("full").to_string();
        assert!(error.contains("with space on its disk"), "{error}");
        assert!(begin_once(&store, 2).is_err());
    }
    assert!(Keys::new(&store).has_any(), "what is there can be read");
    limit("unlimited");
    if role == "exit" {
        return;
    }
    drop(begin_once(&store, 2).expect("begun"));
    end.wait().expect("told once it is written");
    let names: Vec<String> = Keys::new(&store)
        .list()
        .wait()
        .expect("read")
        .into_iter()
        .map(|key| key.name)
        .collect();
    assert_eq!(names, ["before"]);
    create(&store, "after").expect("made");
}

/// From now on no file of this process grows beyond it.
fn limit(bytes: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &std::process::id().to_string()])
        .arg(format!("--fsize={bytes}:unlimited"))
        .status();
    assert!(status.expect("prlimit, of util-linux").success());
}

/// The child runs as another user, because root may write everything.
#[on_sqlite("modes of files")]
#[cfg(target_os = "linux")]
fn a_folder_or_file_that_may_not_be_written_says_so() {
    use std::os::unix::process::CommandExt;
    const NAME: &str =
        "store::tests::disk::a_folder_or_file_that_may_not_be_written_says_so::sqlite";
    if let Some((role, place)) = for_tests::role() {
        let opened = Store::open(&for_tests::options(&place));
        let error = opened.map(drop).expect_err(&role).to_string();
        let file = for_tests::file(&place);
        let named = if role == "parent" {
            place.path()
        } else {
            &file
        };
        assert!(error.contains(&named.display().to_string()), "{error}");
        assert!(
            error.contains("must belong to the user that runs this"),
            "{error}"
        );
        return;
    }
    let nobody = 65_534;
    for role in ["folder", "empty", "file", "parent"] {
        let around = for_tests::folder();
        let inner = around.inner();
        if role != "empty" && role != "parent" {
            create(&for_tests::open(&inner), "a").expect("made");
        }
        let is_root = fs::metadata(inner.path()).expect("there").uid() == 0;
        if is_root {
            fs::set_permissions(around.path(), Permissions::from_mode(0o755)).expect("set");
            for entry in fs::read_dir(inner.path()).expect("read") {
                let path = entry.expect("read").path();
                std::os::unix::fs::chown(path, Some(nobody), Some(nobody)).expect("given");
            }
            std::os::unix::fs::chown(inner.path(), Some(nobody), Some(nobody)).expect("given");
        }
        match role {
            "file" => {
                let file = for_tests::file(&inner);
                fs::set_permissions(file, Permissions::from_mode(0o400)).expect("set");
            }
            "parent" => fs::remove_dir(inner.path()).expect("removed"),
            _ => fs::set_permissions(inner.path(), Permissions::from_mode(0o500)).expect("set"),
        }
        if !is_root && role == "parent" {
            fs::set_permissions(around.path(), Permissions::from_mode(0o500)).expect("set");
        }
        let mut child = for_tests::child(NAME, role, &inner);
        if is_root {
            child.uid(nobody).gid(nobody);
        }
        run(&mut child);
        if role != "parent" {
            fs::set_permissions(inner.path(), Permissions::from_mode(0o700)).expect("set");
        }
        fs::set_permissions(around.path(), Permissions::from_mode(0o700)).expect("set");
    }
}

/// However often it happens. The log of a child is that of all its threads.
#[on_sqlite("the file is moved away")]
fn a_fault_and_its_end_are_logged_once_each() {
    const NAME: &str = "store::tests::disk::a_fault_and_its_end_are_logged_once_each::sqlite";
    let Some((_, place)) = for_tests::role() else {
        let folder = for_tests::folder();
        run(&mut for_tests::child(NAME, "log", &folder));
        let log = fs::read_to_string(folder.path().join("log")).expect("read");
        let count = |part: &str| log.matches(part).count();
        assert_eq!(count("the access keys cannot be read"), 2, "{log}");
        assert_eq!(count("audit.file cannot be written"), 2, "{log}");
        return;
    };
    log_to(&place.path().join("log"));
    let folder = for_tests::folder();
    let (lines, aside) = (place.path().join("lines"), place.path().join("aside"));
    let store = Store::open(&StoreOptions {
        audit_file: Some(&lines),
        ..for_tests::options(&folder)
    });
    let store = store.expect("open");
    let keys = Keys::new(&store);
    create(&store, "a").expect("made");
    let audit = crate::audit::Audit::new(&store, 30, false).expect("new");
    let arguments = serde_json::Map::new();
    let refuse = || {
        let entry = for_tests::entry(&arguments);
        audit.refused(&entry, "scope", None).wait()
    };
    let file = for_tests::file(&folder);
    for _ in 0..2 {
        fs::create_dir(&lines).expect("in its place");
        for _ in 0..3 {
            refuse().expect("written");
        }
        fs::remove_dir(&lines).expect("removed");
        refuse().expect("written");
        fs::remove_file(&lines).expect("removed");
        fs::rename(&file, &aside).expect("moved");
        for_tests::comes("unreadable", || keys.find("hlk_").is_err());
        std::thread::sleep(Duration::from_secs(1));
        fs::rename(&aside, &file).expect("put back");
        for_tests::comes("readable", || keys.find("hlk_").is_ok());
    }
}
