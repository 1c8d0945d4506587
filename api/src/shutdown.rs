//! How what runs is told to stop: once, everyone, and nobody can miss it.

use tokio::sync::watch;

/// The side that says stop.
#[derive(Debug, Clone)]
pub struct StopSwitch(watch::Sender<bool>);

/// The side that listens.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// A switch, and what listens to it.
pub fn stop_switch() -> (StopSwitch, Stop) {
    let (sender, receiver) = watch::channel(false);
    (StopSwitch(sender), Stop(receiver))
}

impl StopSwitch {
    /// Say stop. Saying it again changes nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Wait until someone says stop, or until nobody is left who could.
    pub async fn requested(&mut self) {
        // An error means that the switch is gone, and with it whoever wanted us to run.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// Whether someone said stop.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }
}
