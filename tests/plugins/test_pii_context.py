"""Context words as keys spell them."""

from __future__ import annotations

from yett_plugins.pii_context import spelled


def test_a_word_in_keys_and_column_names() -> None:
    assert {"mobile", "mobile_number", "mobilenumber", "mobile_no", "mobile_id"} <= set(spelled(("mobile",)))


def test_words_of_several_and_with_apostrophes() -> None:
    found = set(spelled(("driver's license", "toll-free")))
    assert {"driver's license", "drivers_license", "driverslicense", "drivers_license_number", "toll_free"} <= found


def test_words_that_end_like_that_already_get_no_second_ending() -> None:
    assert spelled(("account number",)) == ("account number", "account_number", "accountnumber")


def test_other_scripts_and_signs_stay_as_they_are() -> None:
    assert spelled(("电话", "acct#", "né")) == ("电话", "acct#", "né")
