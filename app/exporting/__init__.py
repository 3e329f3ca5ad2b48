"""Music out of the studio: stems, mixes, a DAW project, notes and settings as files that people can use.

names -> what files are called        piece -> what sounds at a node, gathered from the store
mixdown -> the mix with its faders    encoding -> WAV, FLAC, MP3, ...    notation -> MIDI    reaper -> .rpp
package -> the zip of all of it       desk -> the use cases
"""
