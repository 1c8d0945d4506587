//! How a family of events is declared: once, with wire name and version beside the Rust name.

/// Declare an event enum. Each variant wraps the struct that carries its fields and is tagged on the wire with the
/// given name and version, which are a public contract: a Rust rename leaves them alone.
macro_rules! event_family {
    (
        $(#[$meta:meta])*
        $family:ident { $($(#[$variant_meta:meta])* $variant:ident($body:ty) = $wire:literal v $version:literal),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "type")]
        pub enum $family {
            $($(#[$variant_meta])* #[serde(rename = $wire)] $variant($body)),+
        }

        impl $family {
            /// Wire name and newest version of every event of this family.
            pub const CONTRACT: &'static [(&'static str, u32)] = &[$(($wire, $version)),+];

            /// The name on the wire.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $wire),+
                }
            }

            /// The version on the wire.
            pub fn version(&self) -> u32 {
                match self {
                    $(Self::$variant(_) => $version),+
                }
            }

            /// The event of this name whose fields a payload has, in one pass; the payload's own `"type"` is not looked at.
            /// None for a name that is not of this family.
            #[allow(dead_code, reason = "an aggregate with one family is read as one struct")]
            pub(crate) fn from_payload(name: &str, payload: &str) -> Option<Result<Self, serde_json::Error>> {
                match name {
                    $($wire => Some(serde_json::from_str(payload).map(Self::$variant)),)+
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use event_family;
