"""The words of the wire: requests, answers, events, ids and errors. Imports nothing else of waxbill."""
