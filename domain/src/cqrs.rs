//! Tallybook's aggregates as cqrs-es knows them: the one file of the domain that names the crate.
//!
//! [`Cqrs`] judges first and applies afterwards, so a refusal leaves the state untouched. Its events serialise exactly
//! as ours do, so stock repositories read and write the same log. The journal's own writer does not pass through here.

use cqrs_es::DomainEvent;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

use crate::aggregate::{Aggregate, Event, Timestamp};

/// An aggregate of ours as a cqrs-es one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cqrs<A>(pub A);

/// An event of ours as a cqrs-es one: type and version are the public contract's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CqrsEvent<E>(pub E);

/// What a command needs beside the state: the instant it is judged at.
pub struct Services {
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Services {
    /// Judge at what this clock says when a command is handled.
    pub fn with_clock(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            clock: Box::new(clock),
        }
    }

    /// Judge every command at one instant.
    pub fn at(instant: Timestamp) -> Self {
        Self::with_clock(move || instant)
    }
}

impl<A: Aggregate> cqrs_es::Aggregate for Cqrs<A> {
    const TYPE: &'static str = A::TYPE;
    type Command = A::Command;
    type Event = CqrsEvent<A::Event>;
    type Error = A::Refusal;
    type Services = Services;

    async fn handle(
        &mut self,
        command: Self::Command,
        services: &Self::Services,
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        let events = self.0.decide(&command, (services.clock)())?;
        for event in events {
            sink.write(CqrsEvent(event), self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        self.0.evolve(&event.0);
    }
}

impl<E: Event> DomainEvent for CqrsEvent<E> {
    fn event_type(&self) -> String {
        self.0.name().to_owned()
    }

    fn event_version(&self) -> String {
        self.0.version().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::{Claim, ClaimChanged, ClaimCommand, ClaimEvent, ClaimFact, ClaimRefusal};
    use cqrs_es::Aggregate as _;
    use cqrs_es::persist::SerializedEvent;
    use cqrs_es::test::TestFramework;
    use std::collections::HashMap;

    fn taken_at(at: Timestamp) -> CqrsEvent<ClaimEvent> {
        CqrsEvent(ClaimEvent {
            fact: ClaimFact::ClaimTaken(ClaimChanged { owner: "a".into() }),
            at,
            effective_at: at,
        })
    }

    fn take(owner: &str) -> ClaimCommand {
        ClaimCommand::Take { owner: owner.into() }
    }

    fn framework(at: Timestamp) -> TestFramework<Cqrs<Claim>> {
        TestFramework::with(Services::at(at))
    }

    #[test]
    fn a_command_is_judged_at_what_the_clock_says() {
        let at = Timestamp::default() + chrono::Duration::days(3);
        framework(at)
            .given_no_previous_events()
            .when(take("a"))
            .then_expect_events(vec![taken_at(at)]);
    }

    #[test]
    fn a_refusal_is_the_aggregates_own() {
        let refusal = framework(Timestamp::default())
            .given(vec![taken_at(Timestamp::default())])
            .when(take("b"))
            .inspect_result();
        assert_eq!(refusal, Err(ClaimRefusal::ClaimTaken { owner: "a".into() }));
    }

    #[test]
    fn the_stored_form_is_the_contracts() {
        let envelope = cqrs_es::EventEnvelope::<Cqrs<Claim>> {
            aggregate_id: "t/claim:item:1".to_owned(),
            sequence: 1,
            payload: taken_at(Timestamp::default()),
            metadata: HashMap::new(),
        };
        let stored = SerializedEvent::try_from(&envelope).expect("it serialises");
        assert_eq!(
            (
                &*stored.aggregate_type,
                &*stored.event_type,
                &*stored.event_version
            ),
            (Cqrs::<Claim>::TYPE, "ClaimTaken", "1")
        );
        let ours = crate::Event::decode("ClaimTaken", 1, &stored.payload.to_string());
        assert_eq!(ours.ok(), Some(envelope.payload.0));
    }
}
