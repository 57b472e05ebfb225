"""The verifier's own tests: played by test_verifier.py in a process that has neither the product nor pytest.

Arguments: the vectors of docs/gates.md as JSON. Every check is an assert; the last line says how many were made.
"""

import base64
import importlib.util
import json
import sys

import verifier

VECTORS = json.loads(sys.argv[1])
BUNDLE = VECTORS["bundle"]
TEXTS = {each["name"]: each["text"] for each in VECTORS["tokens"]}
NOON = BUNDLE["server_s"]
made = 0


def same(seen, expected, about=""):
    global made
    made += 1
    assert seen == expected, (about, seen, expected)


def synced(**changed):
    gate = verifier.Gate()
    gate.sync(BUNDLE | changed, asked_s=NOON, answered_s=NOON)
    return gate


def answer(gate, text, now_s, act="check"):
    try:
        getattr(gate, act)(text, now_s=now_s)
    except verifier.Refused as refused:
        return refused.code
    return "open"


def the_product_is_not_there():
    for name in ("backend", "payments", "tests"):
        same(importlib.util.find_spec(name), None, name)


def tokens_say_what_the_page_says():
    for each in VECTORS["tokens"]:
        if "says" in each:
            token, says = verifier.decode(each["text"]), each["says"]
            for name in ("form", "key_id", "community_no", "subject", "from_s", "until_s", "entries"):
                same(getattr(token, name), says[name], (each["name"], name))
            same(token.nonce.hex(), says["nonce"])
            same([list(token.gates), [list(slot) for slot in token.slots]], [says["gates"], says["slots"]])


def cases_are_answered_as_the_page_says():
    for case in VECTORS["cases"]:
        same(answer(synced(), TEXTS[case["token"]], case["at_s"]), case["answer"], case)


def no_bit_can_be_changed():
    gate, raw = synced(), base64.urlsafe_b64decode(TEXTS["day"] + "==")
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        text = base64.urlsafe_b64encode(bytes(changed)).decode().rstrip("=")
        seen = answer(gate, text, NOON)
        same(seen in ("malformed", "wrong_community", "unknown_key", "bad_signature", "key_ended"), True, (bit, seen))
    for length in range(len(TEXTS["day"])):
        same(answer(gate, TEXTS["day"][:length], NOON), "malformed", length)


def a_revocation_counts_from_the_sync_on():
    gate = synced(entries=[])
    same(answer(gate, TEXTS["revoked"], NOON), "open")
    delta = {"full": False, "version": "13-0f3a5b7c9d1e2f40", "entries": [BUNDLE["entries"][0]], "removed": []}
    gate.sync(BUNDLE | delta, asked_s=NOON, answered_s=NOON)
    same(answer(gate, TEXTS["revoked"], NOON), "revoked")
    gone = {"full": False, "version": "14-0f3a5b7c9d1e2f40", "entries": [], "removed": [BUNDLE["entries"][0]["id"]]}
    gate.sync(BUNDLE | gone, asked_s=NOON, answered_s=NOON)
    same(gate.known, {})


def a_gate_counts_alone_and_forgets_nothing_in_a_power_cut():
    gate = synced()
    same(answer(gate, TEXTS["day"], NOON, "admit"), "open")
    gate = verifier.Gate.from_state(json.loads(json.dumps(gate.state())))
    same(answer(gate, TEXTS["day"], NOON, "admit"), "used_up")
    (told,) = gate.to_tell()
    same([told["token"], told["at_s"]], [TEXTS["day"], NOON])
    gate.told([told["key"]], now_s=NOON + 10)
    same(gate.to_tell(), [])
    # A bundle that was asked for before the server knew of the entry does not count it yet.
    gate.sync(BUNDLE, asked_s=NOON + 5, answered_s=NOON + 11)
    same(answer(gate, TEXTS["day"], NOON), "used_up")
    counted = BUNDLE["entries"] + [{"id": verifier.decode(TEXTS["day"]).subject, "used": 1, "revoked": False}]
    gate.sync(BUNDLE | {"entries": counted}, asked_s=NOON + 20, answered_s=NOON + 20)
    same([gate.journal, answer(gate, TEXTS["day"], NOON)], [[], "used_up"])


def an_entry_that_the_server_allowed_counts_when_the_network_goes():
    gate = synced()
    gate.admitted(TEXTS["day"], now_s=NOON)
    same([answer(gate, TEXTS["day"], NOON + 1), gate.to_tell()], ["used_up", []])


def a_clock_that_is_wrong_by_ten_minutes_is_put_right_by_a_sync():
    for off_s in (-600, 600):
        gate = verifier.Gate()
        gate.sync(BUNDLE, asked_s=NOON + off_s - 1, answered_s=NOON + off_s + 1)
        live_from = verifier.decode(TEXTS["live_pass"]).from_s
        same(answer(gate, TEXTS["live_pass"], live_from + off_s), "open", off_s)
        same(answer(gate, TEXTS["day"], verifier.decode(TEXTS["day"]).from_s + off_s - 1), "too_early", off_s)
        same(answer(gate, TEXTS["day"], verifier.decode(TEXTS["day"]).until_s + off_s), "expired", off_s)


def a_gate_that_never_synced_opens_for_nobody():
    same(answer(verifier.Gate(), TEXTS["day"], NOON), "wrong_community")


def who_is_banned_is_known_by_a_hash():
    gate = synced()
    for each in VECTORS["banned"]:
        same(gate.is_banned(each["kind"], each["value"]), each["answer"], each)
    gone = {"full": False, "entries": [], "bans": [], "removed": [BUNDLE["bans"][0]["id"]]}
    gate.sync(BUNDLE | gone, asked_s=NOON, answered_s=NOON)
    same(gate.bans, {})


def slots_begin_and_end_to_the_minute_over_midnight():
    day_s = 1788192000  # Tuesday, 1 September 2026, 00:00 in Asia/Shanghai
    night, whole = [(0b0000010, 1320, 360)], [(0b0000010, 0, 1440)]
    for slots, minutes, expected in (
        (night, 1319, False), (night, 1320, True), (night, 1440, True), (night, 1440 + 359, True),
        (night, 1440 + 360, False), (night, 0, False), (whole, -1, False), (whole, 0, True), (whole, 1439, True),
        (whole, 1440, False), ([(127, 480, 480)], 3, True), ((), 5, True),
    ):  # fmt: skip
        same(verifier.in_hours(slots, day_s + minutes * 60), expected, (slots, minutes))


CASES = [
    each for name, each in list(globals().items()) if callable(each) and getattr(each, "__module__", "") == __name__
]
for case in CASES:
    if case not in (same, synced, answer):
        case()
print(made, "checks")
