//! A run on an emulated terminal.

use std::fmt;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use rustix::process::Signal;

use super::{CHECK_INTERVAL, Imdsctl, send};

/// A program on a terminal, killed when dropped.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn Write + Send>,
    drawn: Arc<Mutex<Drawn>>,
    reader: Option<JoinHandle<()>>,
    master: Box<dyn MasterPty + Send>,
    plan: Imdsctl,
    started: Instant,
}

/// The result of a run on a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it, by its English name.
    pub signal: Option<String>,
    /// What the screen showed at the end.
    pub screen: String,
    /// All that it wrote, escape sequences included.
    pub output: String,
}

impl Closed {
    /// Fails the test with the screen if it ended with another code.
    #[track_caller]
    pub fn ended_with(&self, code: i32) -> &Self {
        let (signal, screen) = (&self.signal, &self.screen);
        assert_eq!(
            self.code,
            Some(code),
            "signal: {signal:?}\nscreen:\n{screen}"
        );
        self
    }
}

impl Terminal {
    pub(super) fn start(plan: Imdsctl, columns: u16, rows: u16) -> Self {
        assert!(plan.stdin.is_none(), "on a terminal, type");
        let pair = native_pty_system()
            .openpty(size(columns, rows))
            .unwrap_or_else(|error| panic!("could not open a terminal: {error}"));
        let child = pair
            .slave
            .spawn_command(command(&plan))
            .unwrap_or_else(|error| panic!("could not start {}: {error}", plan.program.display()));
        // Reading ends with the program only if no other process holds its side.
        drop(pair.slave);
        let drawn = Arc::new(Mutex::new(Drawn::new(columns, rows)));
        let output = pair
            .master
            .try_clone_reader()
            .expect("a terminal has a screen");
        let keyboard = pair
            .master
            .take_writer()
            .expect("a terminal has a keyboard");
        let screen = Arc::clone(&drawn);
        Terminal {
            child,
            keyboard,
            drawn,
            reader: Some(std::thread::spawn(move || draw(output, &screen))),
            master: pair.master,
            plan,
            started: Instant::now(),
        }
    }

    /// Types text; `\r` is the return key.
    ///
    /// # Panics
    /// When the terminal is gone.
    #[track_caller]
    pub fn type_text(&mut self, text: &str) {
        let keyboard = &mut self.keyboard;
        keyboard
            .write_all(text.as_bytes())
            .and_then(|()| keyboard.flush())
            .unwrap_or_else(|error| panic!("could not type {text:?}: {error}"));
    }

    /// Presses Ctrl-C.
    #[track_caller]
    pub fn interrupt(&mut self) {
        self.type_text("\u{3}");
    }

    /// Sends SIGKILL.
    pub fn kill(&self) {
        if let Some(process) = self.child.process_id() {
            send(process, Signal::KILL);
        }
    }

    /// Resizes the window; the program receives SIGWINCH.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.drawn()
            .parser
            .screen_mut()
            .set_size(nonzero(rows), nonzero(columns));
        self.master
            .resize(size(columns, rows))
            .expect("a terminal has a size");
    }

    /// What the screen shows, line by line, without colours.
    #[must_use]
    pub fn screen(&self) -> String {
        self.drawn().parser.screen().contents()
    }

    /// All that it has written, escape sequences included.
    #[must_use]
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.drawn().raw).into_owned()
    }

    /// Waits until the screen shows this text; returns the screen.
    ///
    /// # Panics
    /// When the program ends or its time is up before the text appears.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let ended = self.status().is_some();
            if ended {
                self.read_to_the_end();
            }
            let screen = self.screen();
            if screen.contains(text) {
                return screen;
            }
            assert!(!ended, "it ended without {text:?}; the screen:\n{screen}");
            self.check_time();
            sleep(CHECK_INTERVAL);
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When its time is up; it is killed then.
    #[must_use]
    #[track_caller]
    pub fn wait(mut self) -> Closed {
        let status = loop {
            if let Some(status) = self.status() {
                break status;
            }
            self.check_time();
            sleep(CHECK_INTERVAL);
        };
        self.read_to_the_end();
        let signal = status.signal().map(str::to_owned);
        let code = i32::try_from(status.exit_code()).ok();
        Closed {
            code: code.filter(|_| signal.is_none()),
            signal,
            screen: self.screen(),
            output: self.output(),
        }
    }

    fn drawn(&self) -> MutexGuard<'_, Drawn> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is a child of the test")
    }

    fn read_to_the_end(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }

    #[track_caller]
    fn check_time(&self) {
        let limit = self.plan.time_limit;
        assert!(
            self.started.elapsed() < limit,
            "it took longer than {limit:?}; the screen:\n{}",
            self.screen()
        );
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Terminal")
            .field("plan", &self.plan)
            .field("screen", &self.screen())
            .finish_non_exhaustive()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
            let _ = self.child.wait();
        }
    }
}

/// What a program has written, raw and as the screen shows it.
struct Drawn {
    raw: Vec<u8>,
    parser: vt100::Parser,
}

impl Drawn {
    fn new(columns: u16, rows: u16) -> Self {
        Drawn {
            raw: Vec::new(),
            parser: vt100::Parser::new(nonzero(rows), nonzero(columns), 0),
        }
    }
}

fn draw(mut output: Box<dyn Read + Send>, drawn: &Mutex<Drawn>) {
    let mut piece = [0; 4096];
    // On Linux the end is EIO, not an empty read.
    while let Ok(count @ 1..) = output.read(&mut piece) {
        let mut drawn = drawn.lock().unwrap_or_else(PoisonError::into_inner);
        drawn.raw.extend_from_slice(&piece[..count]);
        drawn.parser.process(&piece[..count]);
    }
}

fn command(plan: &Imdsctl) -> CommandBuilder {
    let mut command = CommandBuilder::new(&plan.program);
    command.args(&plan.arguments);
    command.env_clear();
    command.env("HOME", plan.home_folder());
    command.env("TERM", "xterm-256color");
    for (name, value) in &plan.environment {
        command.env(name, value);
    }
    command.cwd(plan.folder());
    command
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        cols: columns,
        rows,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn nonzero(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a terminal has columns and rows")
}
