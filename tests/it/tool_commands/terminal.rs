//! A terminal of a given size in which a command runs.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, timeout, timeout_at};

use crate::stdio::program;

/// The longest wait for an expected output.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Terminal {
    child: Child,
    keyboard: File,
    screen: UnboundedReceiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    /// Runs this program at a terminal of 100 columns and 30 lines.
    pub(super) fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start(program(arguments, variables))
    }

    /// The same for any program.
    pub(super) fn start(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        let size = Winsize {
            ws_row: 30,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size).expect("sized");
        let name = ptsname(&master, Vec::new()).expect("a name");
        let name = name.to_str().expect("a path");
        let mut options = OpenOptions::new();
        let slave = options.read(true).write(true).open(name).expect("opened");
        let stdio = || Stdio::from(slave.try_clone().expect("another"));
        command.env("TERM", "xterm-256color");
        let child = command
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .expect("started");
        drop((command, slave));
        let keyboard = File::from(master);
        let mut reader = keyboard.try_clone().expect("another");
        let (sender, screen) = unbounded_channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It fails once there are no writers left.
            while let Ok(length @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            keyboard,
            screen,
            seen: String::new(),
        }
    }

    /// Waits until `text` is on the screen.
    pub(super) async fn wait_for(&mut self, text: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.seen.contains(text) {
            match timeout_at(until, self.screen.recv()).await {
                Ok(Some(bytes)) => self.seen += &String::from_utf8_lossy(&bytes),
                _ => panic!("no {text:?} in {}", self.seen),
            }
        }
    }

    /// Forgets the screen so far.
    pub(super) fn clear(&mut self) {
        self.seen.clear();
    }

    pub(super) fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("typed");
    }

    /// Sends Ctrl-C to the program. Shells make background processes ignore it, including these tests and their
    /// children. The program is then ended as by `kill`.
    pub(super) async fn interrupt(&mut self) {
        let id = self.child.id().expect("running");
        let id = Pid::from_raw(id.cast_signed()).expect("a process");
        for signal in [Signal::INT, Signal::TERM] {
            kill_process(id, signal).expect("sent");
            let ended = timeout(Duration::from_secs(2), self.child.wait());
            if ended.await.is_ok() {
                return;
            }
        }
    }

    /// All output, and the exit status of the program.
    pub(super) async fn end(mut self) -> (ExitStatus, String) {
        let status = timeout(PATIENCE, self.child.wait()).await;
        let status = status.expect("in time").expect("an end");
        while let Some(bytes) = timeout(PATIENCE, self.screen.recv())
            .await
            .expect("the terminal closes")
        {
            self.seen += &String::from_utf8_lossy(&bytes);
        }
        (status, self.seen.replace("\r\n", "\n"))
    }
}
