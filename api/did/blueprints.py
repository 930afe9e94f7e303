"""All blueprints of D-ID's API."""

from api.did.agents import agents
from api.did.audios import audios
from api.did.clips import clips
from api.did.credits import credit
from api.did.images import images
from api.did.presenters import presenters
from api.did.talks import talks
from api.did.voices import did_voices

DID_BLUEPRINTS = (talks, clips, presenters, images, audios, credit, did_voices, agents)
