#!/bin/sh
# Starts chromedriver and sees to it that nothing outlives the server: the server holds the other end of this
# process's standard input, which ends with the server however that dies. Then the browser of the profile is asked to
# end (it writes its profile), and what is left is killed.
#
# WAXBILL_CHROMEDRIVER_BINARY: the program to start, with this script's arguments.
# WAXBILL_PROFILE: the profile folder, by which the browser is known.
# WAXBILL_OWNER: the server that started it; another may have a browser on the profile by now, or on a folder of the
# same name in another container.

ulimit -S -d "$(ulimit -H -d)" # the server may limit its own heap (MAX_HEAP_MB); browsers need more than that
trap : TERM INT HUP # children get the default back; this process only ends when its work is done

"$WAXBILL_CHROMEDRIVER_BINARY" "$@" </dev/null &
driver=$!

read -r _ || : # the server never writes; this returns when it is gone or has closed the pipe

browsers() { # ids of the processes that have the profile on their command line and are not another server's
    for file in $(with_profile /proc/[0-9]*/cmdline); do
        file=${file#/proc/}
        ours "${file%/cmdline}" && echo "${file%/cmdline}"
    done
}

with_profile() { # which of some command lines have it; it is not on grep's own
    printf '%s' "--user-data-dir=$WAXBILL_PROFILE" | grep -lsFf - "$@"
}

ours() { # only a browser shows its environment; what belongs to it is as it is, and what has lost it is nobody's
    pid=$1
    while grep -qsF -e --type= "/proc/$pid/cmdline"; do
        pid=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$pid/status" 2>/dev/null)
        with_profile "/proc/$pid/cmdline" >/dev/null || return 0
    done
    grep -qsF "WAXBILL_OWNER=$WAXBILL_OWNER" "/proc/$pid/environ" || ! grep -qsF WAXBILL_OWNER= "/proc/$pid/environ"
}

for pid in $(browsers); do
    grep -qsF -e --type= "/proc/$pid/cmdline" || kill -TERM "$pid" 2>/dev/null
done
tries=50
while [ -n "$(browsers)" ] && [ "$tries" -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.1
done
for pid in $(browsers) "$driver"; do
    kill -KILL "$pid" 2>/dev/null
done
wait "$driver" 2>/dev/null
case $TMPDIR in
*/waxbill-browser-*) rm -rf "$TMPDIR" ;; # made for them alone
esac
exit 0
