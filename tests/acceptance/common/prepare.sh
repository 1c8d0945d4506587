# What the acceptance runs have in common; sourced with the repository's root as working directory.
# shellcheck shell=bash
target=${CARGO_TARGET_DIR:-target}

# Packages for a command that is missing, where this user may install: 2 if not.
need() {
    local command=$1 packages=$2
    eval "$command" >/dev/null 2>&1 && return
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        local apt=(apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=5)
        # shellcheck disable=SC2086 # one word each
        "${apt[@]}" update && "${apt[@]}" install -y $packages
    fi
    if ! eval "$command" >/dev/null 2>&1; then
        echo "missing: $packages; on Debian: sudo apt-get install -y $packages" >&2
        exit 2
    fi
}

# A virtual environment with these packages from PyPI, each name==version: sets python.
# What is installed already is not asked of the network again; what was interrupted is made anew.
python_with() {
    local venv=$1
    shift
    python=$venv/bin/python
    need "python3 -c 'import ensurepip, venv'" "python3 python3-venv"
    if [ ! -e "$venv/installed" ] || [ "$(cat "$venv/installed")" != "$*" ]; then
        python3 -m venv --clear "$venv"
        if [ $# -gt 0 ]; then
            "$python" -m pip install --quiet --disable-pip-version-check --retries 10 --timeout 60 "$@"
        fi
        echo "$*" >"$venv/installed"
    fi
}

# A folder with these packages from npm, each name@version, below which node finds them.
node_with() {
    local folder=$1
    shift
    need "node --version && npm --version" "nodejs npm"
    if [ "$(cat "$folder/installed" 2>/dev/null)" != "$*" ]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        npm install --silent --no-audit --no-fund --prefix "$folder" "$@"
        echo "$*" >"$folder/installed"
    fi
}

# The official CLI of this version: sets cli. What npm puts on the path is a Node program that starts the CLI and waits for
# it: a signal ends that program and leaves the CLI behind. So this is the CLI itself, from the platform's own package.
stripe_cli() {
    node_with "$1" "@stripe/cli@$2"
    local candidates=("$1"/node_modules/@stripe/cli-*/bin/stripe)
    cli=${candidates[0]}
    if [ ! -x "$cli" ]; then
        echo "npm installed no Stripe CLI for this machine below $1" >&2
        exit 2
    fi
}

# The binary to test: the one named in TALLYBOOK, else one that is built now. Sets tallybook.
build_tallybook() {
    bin/ensure-postgres
    tallybook=${TALLYBOOK:-$target/debug/tallybook}
    if [ -z "${TALLYBOOK:-}" ]; then
        cargo build --locked --quiet --package tallybook-api --bin tallybook
    fi
}
