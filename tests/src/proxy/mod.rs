//! A proxy between an engine and PostgreSQL that understands enough of what passes to cut a connection in mid-commit, at
//! the moment a test wants.

mod frames;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::unix;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use self::frames::{Frame, Frames};

/// A statement at which something can be made to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statement {
    /// Events are appended.
    Append,
    /// A transaction is committed.
    Commit,
    /// The fence is taken by itself, to be held longer.
    Fence,
}

/// Where a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The statement never reaches the database.
    Before,
    /// Half of its bytes do.
    Amid,
    /// All of it does; the answer is not waited for.
    Unanswered,
    /// The database has answered; the engine never hears it.
    AnswerLost,
    /// The engine's side is cut at once; the statement reaches the database a good while later.
    Late,
}

impl Cut {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Before,
        Self::Amid,
        Self::Unanswered,
        Self::AnswerLost,
        Self::Late,
    ];
}

/// How late [`Cut::Late`] is: long enough for the engine to connect anew and to try again.
const LATENESS: Duration = Duration::from_secs(1);

/// What is to happen at the next such statement.
enum Trap {
    Cut(Cut, oneshot::Sender<()>),
    /// Say that the database has answered, and hold the answer until told to pass it on.
    Hold(oneshot::Sender<()>, oneshot::Receiver<()>),
}

type Traps = Arc<Mutex<Option<(Statement, Trap)>>>;

/// A listening proxy. It and its connections end with it.
pub struct Proxy {
    address: SocketAddr,
    traps: Traps,
    listening: JoinHandle<()>,
    _open: watch::Sender<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// An answer of the database that the engine waits for.
pub struct Held(oneshot::Sender<()>);

impl Held {
    /// Pass it on.
    pub fn pass_on(self) {
        // A connection that is gone by now needs no answer.
        let _ = self.0.send(());
    }
}

impl Proxy {
    /// One before the database that listens on this socket.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let traps = Traps::default();
        let (open, closed) = watch::channel(());
        let listening = tokio::spawn(listen(listener, socket, Arc::clone(&traps), closed));
        Self {
            address,
            traps,
            listening,
            _open: open,
        }
    }

    /// The database's address through the proxy.
    pub fn url(&self) -> String {
        format!("postgres://tallybook@{}/tallybook?sslmode=disable", self.address)
    }

    /// Cut the connection that next sends such a statement; returns when that is done.
    pub async fn cut(&self, statement: Statement, cut: Cut) {
        let (done, is_done) = oneshot::channel();
        self.set(statement, Trap::Cut(cut, done));
        is_done.await.expect("the proxy runs");
    }

    /// Hold the answer to the next such statement; returns when the database has given it.
    pub async fn hold(&self, statement: Statement) -> Held {
        let (held, is_held) = oneshot::channel();
        let (pass_on, passed_on) = oneshot::channel();
        self.set(statement, Trap::Hold(held, passed_on));
        is_held.await.expect("the proxy runs");
        Held(pass_on)
    }

    fn set(&self, statement: Statement, trap: Trap) {
        *self.traps.lock().unwrap_or_else(PoisonError::into_inner) = Some((statement, trap));
    }
}

async fn listen(listener: TcpListener, socket: PathBuf, traps: Traps, closed: watch::Receiver<()>) {
    while let Ok((engine, _)) = listener.accept().await {
        let (socket, traps, mut closed) = (socket.clone(), Arc::clone(&traps), closed.clone());
        tokio::spawn(async move {
            tokio::select! {
                _ = closed.changed() => {}
                () = connect(engine, &socket, traps) => {}
            }
        });
    }
}

async fn connect(engine: TcpStream, socket: &Path, traps: Traps) {
    // A database that is down looks like one that hangs up.
    let Ok(database) = UnixStream::connect(socket).await else {
        return;
    };
    let (from_engine, to_engine) = engine.into_split();
    let (from_database, to_database) = database.into_split();
    let connection = Connection {
        from_engine: Frames::from_engine(from_engine),
        to_engine,
        from_database: Frames::from_database(from_database),
        to_database,
        prepared: HashMap::new(),
        traps,
    };
    // Whichever side ends it: the other is closed, too.
    let _ = connection.pass().await;
}

/// The connection is over.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

struct Connection {
    from_engine: Frames<OwnedReadHalf>,
    to_engine: OwnedWriteHalf,
    from_database: Frames<unix::OwnedReadHalf>,
    to_database: unix::OwnedWriteHalf,
    /// Statements by the names they were prepared under.
    prepared: HashMap<Vec<u8>, Statement>,
    traps: Traps,
}

impl Connection {
    async fn pass(mut self) -> Result<(), Over> {
        loop {
            tokio::select! {
                frame = self.from_engine.next() => {
                    let frame = frame?.ok_or(Over)?;
                    match self.trap_for(&frame) {
                        Some(Trap::Cut(cut, done)) => {
                            let ended = self.cut(frame, cut).await;
                            let _ = done.send(());
                            return ended;
                        }
                        Some(Trap::Hold(held, passed_on)) => self.hold(frame, held, passed_on).await?,
                        None => self.to_database.write_all(&frame.bytes).await?,
                    }
                }
                frame = self.from_database.next() => {
                    let frame = frame?.ok_or(Over)?;
                    self.to_engine.write_all(&frame.bytes).await?;
                }
            }
        }
    }

    /// What is to happen with a frame of the engine's, if anything.
    fn trap_for(&mut self, frame: &Frame) -> Option<Trap> {
        if let Some((name, sql)) = frame.prepares()
            && let Some(statement) = statement_of(sql)
        {
            self.prepared.insert(name.to_vec(), statement);
        }
        let statement = match (frame.binds(), frame.query()) {
            (Some(name), _) => self.prepared.get(name).copied(),
            (None, Some(sql)) => statement_of(sql),
            (None, None) => None,
        };
        let mut traps = self.traps.lock().unwrap_or_else(PoisonError::into_inner);
        let set = traps
            .as_ref()
            .is_some_and(|(wanted, _)| Some(*wanted) == statement);
        set.then(|| traps.take()).flatten().map(|(_, trap)| trap)
    }

    async fn cut(mut self, frame: Frame, cut: Cut) -> Result<(), Over> {
        match cut {
            Cut::Before => {}
            Cut::Amid => {
                let half = &frame.bytes[..frame.bytes.len() / 2];
                self.to_database.write_all(half).await?;
            }
            Cut::Unanswered => self.forward(frame).await?,
            Cut::AnswerLost => {
                self.forward(frame).await?;
                self.answer().await?;
            }
            Cut::Late => {
                let statement = self.whole(frame).await?;
                drop((self.to_engine, self.from_engine));
                // In a task of its own: the cut itself is done.
                tokio::spawn(async move {
                    tokio::time::sleep(LATENESS).await;
                    if self.to_database.write_all(&statement).await.is_ok() {
                        while let Ok(Some(frame)) = self.from_database.next().await {
                            if frame.is_ready() {
                                break;
                            }
                        }
                    }
                });
            }
        }
        Ok(())
    }

    async fn hold(
        &mut self,
        frame: Frame,
        held: oneshot::Sender<()>,
        passed_on: oneshot::Receiver<()>,
    ) -> Result<(), Over> {
        self.forward(frame).await?;
        let answer = self.answer().await?;
        let _ = held.send(());
        // An error says that the test ended.
        let _ = passed_on.await;
        Ok(self.to_engine.write_all(&answer).await?)
    }

    /// A statement's frames up to the one that asks for the answer.
    async fn whole(&mut self, first: Frame) -> Result<Vec<u8>, Over> {
        let mut is_last = first.asks_for_answer();
        let mut bytes = first.bytes;
        while !is_last {
            let frame = self.from_engine.next().await?.ok_or(Over)?;
            is_last = frame.asks_for_answer();
            bytes.extend(frame.bytes);
        }
        Ok(bytes)
    }

    async fn forward(&mut self, first: Frame) -> Result<(), Over> {
        let statement = self.whole(first).await?;
        Ok(self.to_database.write_all(&statement).await?)
    }

    /// Whatever the database says until it is ready for the next statement.
    async fn answer(&mut self) -> Result<Vec<u8>, Over> {
        let mut bytes = Vec::new();
        loop {
            let frame = self.from_database.next().await?.ok_or(Over)?;
            let is_last = frame.is_ready();
            bytes.extend(frame.bytes);
            if is_last {
                return Ok(bytes);
            }
        }
    }
}

fn statement_of(sql: &[u8]) -> Option<Statement> {
    let sql = String::from_utf8_lossy(sql).to_lowercase();
    let sql = sql.trim_start();
    if sql.contains("insert into events ") {
        Some(Statement::Append)
    } else if sql.starts_with("commit") {
        Some(Statement::Commit)
    } else if sql.contains("pg_advisory_xact_lock") && sql.contains("as fence") {
        Some(Statement::Fence)
    } else {
        None
    }
}
