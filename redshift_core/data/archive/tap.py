"""Queries by TAP, through pyvo: few rows at once, or many through the service's queue."""

from __future__ import annotations

import time
import warnings
from typing import Any

import pyarrow as pa

from redshift_core.data.archive.adql import clean
from redshift_core.data.archive.tables import of_astropy
from redshift_core.data.archive.web import (
    TOO_MANY,
    ArchiveError,
    RefusedError,
    TooMuchError,
    Web,
    reason,
)
from redshift_core.errors import InputError

FIRST_POLL, LONGEST_POLL = 0.2, 15.0  # s between two looks at a job of the service
GOING_ON = ("PENDING", "QUEUED", "EXECUTING", "RUN", "HELD", "SUSPENDED", "UNKNOWN")


class Tap:
    """TAP at one address."""

    def __init__(self, url: str, web: Web):
        self.url, self.web = url.rstrip("/"), web

    def query(self, text: str, quick: bool = False) -> pa.Table:
        """Rows that answer a query, column names in lower case.

        Parameters
        ----------
        quick : bool
            Ask for the answer at once; services allow a minute and some 2,000 rows for it.

        Raises
        ------
        InputError
            Where the service cuts the answer short, because it has too many rows.
        ArchiveError
        """
        import requests
        from pyvo.dal import exceptions

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what it says of an answer is looked at below
                results = self._run(clean(text), quick)
                table = results.to_table()
        except exceptions.DALQueryError as error:
            raise self._refusal(str(error)) from error
        except exceptions.DALServiceError as error:
            if error.code in (413, 414):
                raise TooMuchError(str(error)) from error
            if error.code == 400:
                raise self._refusal(str(error)) from error
            raise ArchiveError(_said(error)) from error
        except (exceptions.DALFormatError, exceptions.DALAccessError) as error:
            raise ArchiveError(_said(error, "an answer that is no VOTable: ")) from error
        except requests.RequestException as error:
            raise ArchiveError(reason(error)) from error
        except (OSError, ValueError, IndexError, TypeError, AttributeError) as error:
            raise ArchiveError(f"an answer that cannot be read ({error})") from error
        if _is_cut(results.votable):
            raise InputError(
                f"{self.url} cut its answer short after {len(table):,} rows; ask for fewer: cut "
                "by magnitude or by a cone, and fetch the sample in several parts."
            )
        return of_astropy(table)

    def _run(self, text: str, quick: bool) -> Any:
        from pyvo.dal import TAPService

        service = TAPService(self.url, session=self.web.session)
        if quick:
            return service.run_sync(text)
        with service.submit_job(text) as job:  # deleted on the service in the end
            job.run()
            wait = FIRST_POLL
            while (phase := job.phase) in GOING_ON:
                time.sleep(wait)
                wait = min(2 * wait, LONGEST_POLL)
            if phase != "COMPLETED":
                job.raise_if_error()
                raise ArchiveError(f"an answer that is no job ({phase or 'no phase'})")
            return job.fetch_result()

    def _refusal(self, said: str) -> ArchiveError:
        if any(words in said.lower() for words in TOO_MANY):
            return TooMuchError(said)
        return RefusedError(f"the query was refused: {' '.join(said.split())}")


def _is_cut(votable: Any) -> bool:
    """Whether a service says, before or behind its rows, that there are more."""
    infos = [*votable.infos, *(info for one in votable.resources for info in one.infos)]
    return any(
        info.name.upper() == "QUERY_STATUS" and info.value.upper() == "OVERFLOW" for info in infos
    )


def _said(error: Exception, otherwise: str = "") -> str:
    """What pyvo says, or the reason why a call failed that is behind it."""
    import requests

    cause = getattr(error, "cause", None) or error.__cause__
    if isinstance(cause, requests.RequestException):
        return reason(cause)
    return f"{otherwise}{error}"
