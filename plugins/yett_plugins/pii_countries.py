"""Presidio's pattern recognisers, one line each: the entity, the country, the check, and how far we trust a match.

Patterns and context words come out of the installed package (`yett_plugins.presidio`); checks are in `pii_checks`
and `pii_numbers`. docs/pii.md shows the table; its last column says what the `yett` pack asks for beyond
Presidio's rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from yett.detector import Validator
from yett_plugins import pii_checks as checks
from yett_plugins import pii_numbers as numbers


class Trust(Enum):
    """When a match counts in the `yett` pack."""

    SHAPE = "shape"  # as Presidio says: its pattern's score, 1.0 with a passed check
    GROUPED = "grouped"  # with separators where people write them; a bare run of digits needs a context word
    CONTEXT = "context"  # only near a context word


@dataclass(frozen=True, slots=True)
class Entry:
    """One recogniser of Presidio's.

    `recognizer` is its class, `entity` Presidio's word for what it finds. `country` is empty where it belongs to none.
    `check` is Presidio's rule (None: it has none). `named`: no country switches it on, only its entity's name does.
    """

    recognizer: str
    entity: str
    country: str = ""
    check: Validator | None = None
    trust: Trust = Trust.SHAPE
    named: bool = False
    max_len: int = 64

    @property
    def word(self) -> str:
        """The type word of the pseudonym that replaces a finding."""
        return {"EMAIL_ADDRESS": "EMAIL", "IBAN_CODE": "IBAN", "IP_ADDRESS": "IP"}.get(self.entity, self.entity)

    @property
    def code(self) -> str:
        """The code of its findings."""
        return f"pii.{self.word.lower()}"


def entries() -> tuple[Entry, ...]:
    """All recognisers that have a line, country by country."""
    return (*_generic(), *_united_states(), *_america(), *_germany(), *_europe(), *_asia(), *_pacific(), *_africa())


def countries() -> frozenset[str]:
    """The countries that can be switched on."""
    return frozenset(entry.country for entry in entries() if entry.country)


def wanted(countries: Iterable[str], entities: Iterable[str]) -> tuple[Entry, ...]:
    """The entries that belong to no country or to one of `countries`, less the noisy ones, and those of `entities`."""
    where, named = {"", *countries}, frozenset(entities)
    return tuple(e for e in entries() if e.entity in named or (e.country in where and not e.named))


def _generic() -> tuple[Entry, ...]:
    return (
        Entry("EmailRecognizer", "EMAIL_ADDRESS", max_len=384),
        Entry("CreditCardRecognizer", "CREDIT_CARD", check=checks.luhn_only, max_len=32),
        Entry("IbanRecognizer", "IBAN_CODE", check=checks.iban_of_presidio),
        Entry("IpRecognizer", "IP_ADDRESS", check=checks.any_ip, max_len=80),
        Entry("CryptoRecognizer", "CRYPTO", check=checks.bitcoin),
        Entry("MacAddressRecognizer", "MAC_ADDRESS", check=checks.device_address),
        Entry("UrlRecognizer", "URL", named=True, max_len=2048),
        Entry("DateRecognizer", "DATE_TIME", named=True),
        Entry("UuidRecognizer", "UUID", check=checks.uuid, named=True),
    )


def _united_states() -> tuple[Entry, ...]:
    context = Trust.CONTEXT
    return (
        Entry("UsSsnRecognizer", "US_SSN", "us", checks.ssn_of_presidio, max_len=16),
        Entry("UsItinRecognizer", "US_ITIN", "us"),
        Entry("UsLicenseRecognizer", "US_DRIVER_LICENSE", "us", None, context),
        Entry("UsPassportRecognizer", "US_PASSPORT", "us", None, context),
        Entry("UsBankRecognizer", "US_BANK_NUMBER", "us", None, context),
        Entry("UsMbiRecognizer", "US_MBI", "us", None, context, named=True),
        Entry("UsNpiRecognizer", "US_NPI", "us", numbers.us_provider, context, named=True),
        Entry(
            "AbaRoutingRecognizer", "ABA_ROUTING_NUMBER", "us", numbers.weighted((3, 7, 1) * 3, 10), context, named=True
        ),
        Entry("MedicalLicenseRecognizer", "MEDICAL_LICENSE", "us", numbers.us_medical_license, context, named=True),
        Entry("UsHealthInsuranceMemberIdRecognizer", "US_HEALTH_INSURANCE_MEMBER_ID", "us", None, context, True, 128),
        Entry("UsPriorAuthorizationNumberRecognizer", "US_PRIOR_AUTHORIZATION_NUMBER", "us", None, context, named=True),
        Entry("UsClaimNumberRecognizer", "US_CLAIM_NUMBER", "us", None, context, named=True),
        Entry("UsPrescriptionNumberRecognizer", "US_PRESCRIPTION_NUMBER", "us", None, context, named=True),
        Entry("UsReferralNumberRecognizer", "US_REFERRAL_NUMBER", "us", None, context, named=True),
        Entry("UsProviderTaxIdRecognizer", "US_PROVIDER_TAX_ID", "us", None, context, named=True, max_len=128),
    )


def _america() -> tuple[Entry, ...]:
    return (
        Entry("CaSinRecognizer", "CA_SIN", "ca", numbers.not_unless(numbers.luhn_number), Trust.GROUPED),
        Entry("CaPostalCodeRecognizer", "CA_POSTAL_CODE", "ca", named=True),
    )


def _germany() -> tuple[Entry, ...]:
    context, named = Trust.CONTEXT, True
    return (
        Entry("DeTaxIdRecognizer", "DE_TAX_ID", "de", numbers.german_tax_id),
        Entry("DeTaxNumberRecognizer", "DE_TAX_NUMBER", "de"),
        Entry("DeVatIdRecognizer", "DE_VAT_ID", "de", numbers.german_vat),
        Entry("DeSocialSecurityRecognizer", "DE_SOCIAL_SECURITY", "de", numbers.german_social_security),
        Entry("DeHealthInsuranceRecognizer", "DE_HEALTH_INSURANCE", "de", numbers.german_health_insurance),
        Entry("DeIdCardRecognizer", "DE_ID_CARD", "de", numbers.german_identity_card, context),
        Entry("DePassportRecognizer", "DE_PASSPORT", "de", numbers.german_passport, context),
        Entry("DeFuehrerscheinRecognizer", "DE_FUEHRERSCHEIN", "de", None, context),
        Entry("DeKfzRecognizer", "DE_KFZ", "de", None, context),
        Entry("DeHandelsregisterRecognizer", "DE_HANDELSREGISTER", "de", max_len=32),
        Entry("DeLanrRecognizer", "DE_LANR", "de", numbers.german_doctor, context),
        Entry("DeBsnrRecognizer", "DE_BSNR", "de", numbers.unless_refused("000000000".__eq__), context),
        Entry("DePlzRecognizer", "DE_PLZ", "de", None, context, named),
    )


def _europe() -> tuple[Entry, ...]:
    grouped, context = Trust.GROUPED, Trust.CONTEXT
    return (
        Entry("EsNifRecognizer", "ES_NIF", "es", numbers.spanish_identity),
        Entry("EsNieRecognizer", "ES_NIE", "es", numbers.spanish_foreigner),
        Entry("EsPassportRecognizer", "ES_PASSPORT", "es", None, context),
        Entry("FiPersonalIdentityCodeRecognizer", "FI_PERSONAL_IDENTITY_CODE", "fi", numbers.finnish_identity),
        Entry("ItFiscalCodeRecognizer", "IT_FISCAL_CODE", "it", numbers.italian_fiscal_code),
        Entry("ItVatCodeRecognizer", "IT_VAT_CODE", "it", numbers.italian_vat, context),
        Entry("ItDriverLicenseRecognizer", "IT_DRIVER_LICENSE", "it", None, context),
        Entry("ItIdentityCardRecognizer", "IT_IDENTITY_CARD", "it", None, context),
        Entry("ItPassportRecognizer", "IT_PASSPORT", "it", None, context),
        Entry("PlPeselRecognizer", "PL_PESEL", "pl", numbers.weighted((1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), 10)),
        Entry("SePersonnummerRecognizer", "SE_PERSONNUMMER", "se", numbers.swedish_person, grouped),
        Entry("SeOrganisationsnummerRecognizer", "SE_ORGANISATIONSNUMMER", "se", numbers.swedish_organisation, grouped),
        Entry("TrNationalIdRecognizer", "TR_NATIONAL_ID", "tr", numbers.turkish_identity),
        Entry("TrLicensePlateRecognizer", "TR_LICENSE_PLATE", "tr", numbers.shape_only, context),
        Entry("NhsRecognizer", "UK_NHS", "uk", numbers.weighted(range(10, 0, -1), 11), grouped),
        Entry("UkNinoRecognizer", "UK_NINO", "uk"),
        Entry("UkDrivingLicenceRecognizer", "UK_DRIVING_LICENCE", "uk", numbers.british_driver),
        Entry("UkPassportRecognizer", "UK_PASSPORT", "uk", None, context),
        Entry("UkVehicleRegistrationRecognizer", "UK_VEHICLE_REGISTRATION", "uk", numbers.british_vehicle, context),
        Entry("UkPostcodeRecognizer", "UK_POSTCODE", "uk", None, context, named=True),
    )


def _asia() -> tuple[Entry, ...]:
    grouped, context = Trust.GROUPED, Trust.CONTEXT
    return (
        Entry("InAadhaarRecognizer", "IN_AADHAAR", "in", numbers.indian_identity, grouped),
        Entry("InPanRecognizer", "IN_PAN", "in"),
        Entry("InGstinRecognizer", "IN_GSTIN", "in", numbers.indian_tax_registration),
        Entry("InVoterRecognizer", "IN_VOTER", "in", None, context),
        Entry("InPassportRecognizer", "IN_PASSPORT", "in", None, context),
        Entry("InVehicleRegistrationRecognizer", "IN_VEHICLE_REGISTRATION", "in"),
        Entry("KrRrnRecognizer", "KR_RRN", "kr", numbers.korean_resident, grouped),
        Entry("KrFrnRecognizer", "KR_FRN", "kr", numbers.korean_foreigner, grouped),
        Entry("KrBrnRecognizer", "KR_BRN", "kr", numbers.korean_business, grouped),
        Entry("KrDriverLicenseRecognizer", "KR_DRIVER_LICENSE", "kr", numbers.korean_driver, grouped),
        Entry("KrPassportRecognizer", "KR_PASSPORT", "kr", None, context),
        Entry("SgFinRecognizer", "SG_NRIC_FIN", "sg"),
        Entry("SgUenRecognizer", "SG_UEN", "sg", numbers.singapore_entity),
        Entry("ThTninRecognizer", "TH_TNIN", "th", numbers.thai_identity, grouped),
    )


def _pacific() -> tuple[Entry, ...]:
    grouped, context = Trust.GROUPED, Trust.CONTEXT
    medicare = (1, 3, 7, 9, 1, 3, 7, 9, -1)
    filed = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return (
        Entry("AuAbnRecognizer", "AU_ABN", "au", numbers.australian_business),
        Entry("AuAcnRecognizer", "AU_ACN", "au", numbers.weighted((8, 7, 6, 5, 4, 3, 2, 1, 1), 10), context),
        Entry("AuTfnRecognizer", "AU_TFN", "au", numbers.weighted((1, 4, 3, 7, 5, 8, 6, 9, 10), 11), context),
        Entry("AuMedicareRecognizer", "AU_MEDICARE", "au", numbers.weighted(medicare, 10), grouped),
        Entry("PhTinRecognizer", "PH_TIN", "ph", numbers.not_unless(numbers.weighted(filed, 11)), context),
        Entry("PhUmidRecognizer", "PH_UMID", "ph"),
        Entry("PhPassportRecognizer", "PH_PASSPORT", "ph", None, context),
    )


def _africa() -> tuple[Entry, ...]:
    context, register = Trust.CONTEXT, numbers.south_african_register
    return (
        Entry("NgNinRecognizer", "NG_NIN", "ng", numbers.verhoeff_number, context),
        Entry("NgVehicleRegistrationRecognizer", "NG_VEHICLE_REGISTRATION", "ng", None, context),
        Entry("ZaIdNumberRecognizer", "ZA_ID_NUMBER", "za", numbers.south_african_identity),
        Entry("ZaPassportRecognizer", "ZA_PASSPORT", "za", numbers.shape_only, context),
        Entry("ZaDriverLicenseRecognizer", "ZA_DRIVER_LICENSE", "za", numbers.south_african_driver, context),
        Entry("ZaLicensePlateRecognizer", "ZA_LICENSE_PLATE", "za", numbers.south_african_plate, context),
        Entry("ZaIncomeTaxNumberRecognizer", "ZA_INCOME_TAX_NUMBER", "za", numbers.shape_only, context),
        Entry("ZaVatNumberRecognizer", "ZA_VAT_NUMBER", "za", numbers.shape_only, context, named=True),
        Entry("ZaCompanyRegistrationRecognizer", "ZA_COMPANY_REGISTRATION", "za", numbers.south_african_company),
        Entry("ZaTrafficRegisterNumberRecognizer", "ZA_TRAFFIC_REGISTER_NUMBER", "za", register, context, named=True),
    )
