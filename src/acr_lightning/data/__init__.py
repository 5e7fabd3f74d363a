"""Photos, their tags and perhaps their masks. The data sets import no torch; the data modules do."""
