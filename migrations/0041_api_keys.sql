-- A key is 256 random bits, shown once; only its SHA-256 is here. Found by the digest, which is why it is unique.
create table api_keys (
    key_id        text primary key,
    tenant        text not null references tenants,
    role          text not null check (role in ('read', 'write', 'finance', 'admin')),
    secret_digest bytea not null unique check (octet_length(secret_digest) = 32),
    hint          text not null,
    created_at    timestamptz not null default clock_timestamp(),
    revoked_at    timestamptz
);

create index api_keys_tenant on api_keys (tenant);
