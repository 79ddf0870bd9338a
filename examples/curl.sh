#!/bin/sh
# Log in and ask a running gateway for everything it does, with curl alone.
#
#   examples/curl.sh USER PASSWORD PICTURE [ADDRESS]
#
# PICTURE_URL=http://... adds a picture by its address, on a host that the operator has listed.
set -eu

if [ $# -lt 3 ]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
user=$1 password=$2 picture=$3 address=${4:-http://localhost:5000}

# The member of a flat JSON object; jq would do it better, but is not everywhere.
member() {
    sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"
}

# A string as JSON, for names and passwords with quotes or backslashes in them.
quoted() {
    printf '"%s"' "$(printf %s "$1" | sed 's/[\\"]/\\&/g')"
}

say() {
    printf '\n== %s\n' "$*"
}

say "Is it there, and has every detector answered a picture of known content?"
curl -sS "$address/health"
curl -sS "$address/health/live"
curl -sS "$address/health/ready"

say "Log in"
answer=$(printf '{"username":%s,"password":%s}' "$(quoted "$user")" "$(quoted "$password")" |
    curl -sS --fail-with-body -H "Content-Type: application/json" --data-binary @- "$address/api/v1/login") || {
    echo "$answer" >&2
    exit 1
}
token=$(echo "$answer" | member access_token)
refresh=$(echo "$answer" | member refresh_token)
echo "a token of ${#token} characters"

ask() {
    curl -sS -H "Authorization: Bearer $token" "$@"
}

say "Who am I, and what may I"
ask "$address/api/v1/me"

say "Every detector, the one for faces, and what it is meant for"
ask "$address/api/v1/detectors"
ask "$address/api/v1/detectors/face"
ask "$address/api/v1/detectors/face/card?format=markdown"

say "Faces, as mlapi answered them"
ask -F "file=@$picture" "$address/api/v1/detect/object?type=face&delete=true"

say "The full report; the picture is kept, where the operator keeps pictures"
report=$(ask -F "file=@$picture" "$address/api/v1/detect?detectors=face")
echo "$report"
kept=$(echo "$report" | member id)

if [ -n "$kept" ]; then
    say "The kept pictures, the copy with boxes of that one, and its end"
    ask "$address/api/v1/images"
    ask -o kept.jpg "$address/api/v1/images/$kept?annotated=true"
    echo "kept.jpg"
    ask -X DELETE -o /dev/null -w "%{http_code}\n" "$address/api/v1/images/$kept"
fi

say "A picture as base64 in JSON"
printf '{"image":"%s","delete":true}' "$(base64 <"$picture" | tr -d '\n')" |
    ask -H "Content-Type: application/json" --data-binary @- "$address/api/v1/detect/face"

say "Two pictures at once, each with its own result or problem"
ask -F "files=@$picture" -F "files=@$picture" "$address/api/v1/detect/face?delete=true"

if [ -n "${PICTURE_URL:-}" ]; then
    say "A picture by its address"
    ask --data-urlencode "url=$PICTURE_URL" "$address/api/v1/detect/face?delete=true"
fi

say "The picture with its boxes drawn"
ask -F "file=@$picture" -H "Accept: image/jpeg" -o annotated.jpg "$address/api/v1/detect/face?delete=true"
echo "annotated.jpg"

say "Faces in the upper half alone, the surest ones, none that is tiny"
ask -F "file=@$picture" -F 'regions=[{"bottom": 0.5, "detect": {"face": 0.8}}]' -F min_box=0.02 \
    "$address/api/v1/detect/face?delete=true"

if [ "$(ask "$address/api/v1/me" | member role)" = admin ]; then
    say "The first users (for admins)"
    ask "$address/api/v1/users?limit=3"

    say "A user of its own, with a password nobody knows"
    secret=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    printf '{"username":"curl-example-%s","password":"%s","detectors":["face"]}' "$$" "$secret" |
        ask -H "Content-Type: application/json" --data-binary @- "$address/api/v1/users"

    say "That user, and a quota: pictures a day"
    ask "$address/api/v1/users/curl-example-$$"
    ask -X PATCH -H "Content-Type: application/json" -d '{"requests_per_day":1000}' \
        "$address/api/v1/users/curl-example-$$"

    say "Remove that user"
    ask -X DELETE -o /dev/null -w "%{http_code}\n" "$address/api/v1/users/curl-example-$$"
fi

say "As clients of earlier services ask; what is not installed says so"
ask -F "image=@$picture" "$address/upload"
ask -F "image=@$picture" "$address/api/gender"
ask -F "image=@$picture" "$address/predict"
printf '{"image":"data:image/jpeg;base64,%s"}' "$(base64 <"$picture" | tr -d '\n')" |
    ask -H "Content-Type: application/json" --data-binary @- "$address/classify"

say "The specification, and the metrics: how much of them there is"
curl -sS "$address/openapi.json" | wc -c
curl -sS "$address/metrics" | wc -l

say "New tokens for the refresh token"
answer=$(curl -sS -X POST -H "Authorization: Bearer $refresh" "$address/api/v1/refresh")
token=$(echo "$answer" | member access_token)
echo "a token of ${#token} characters"

say "Log out"
ask -X POST "$address/api/v1/logout"
