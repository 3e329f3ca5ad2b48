"""Training in legs on machines that have no network and little time: pack here, run there, join here."""
