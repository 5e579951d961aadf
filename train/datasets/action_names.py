"""The names of the data sets' actions, in the order of their class numbers."""

from __future__ import annotations


def _names(text: str) -> list[str]:
    return [" ".join(name.split()) for name in text.split(";")]


NTU120 = _names(
    """drink water; eat meal; brush teeth; brush hair; drop; pick up; throw; sit down; stand up; clapping; reading;
    writing; tear up paper; put on jacket; take off jacket; put on a shoe; take off a shoe; put on glasses;
    take off glasses; put on a hat; take off a hat; cheer up; hand waving; kicking something; reach into pocket;
    hopping; jump up; phone call; play with phone; type on a keyboard; point to something; taking a selfie;
    check time; rub two hands; nod head; shake head; wipe face; salute; put palms together; cross hands in front;
    sneeze; staggering; falling down; headache; chest pain; back pain; neck pain; nausea; fan self;
    punch other person; kick other person; push other person; pat on back; point finger at other person; hugging;
    giving object; touch pocket; shaking hands; walking towards; walking apart; put on headphone;
    take off headphone; shoot at basket; bounce ball; tennis bat swing; juggle table tennis ball; hush; flick hair;
    thumb up; thumb down; make OK sign; make victory sign; staple book; counting money; cutting nails;
    cutting paper; snap fingers; open bottle; sniff; squat down; toss a coin; fold paper; ball up paper;
    play magic cube; apply cream on face; apply cream on hand; put on bag; take off bag; put object into bag;
    take object out of bag; open a box; move heavy objects; shake fist; throw up cap; capitulate; cross arms;
    arm circles; arm swings; run on the spot; butt kicks; cross toe touch; side kick; yawn; stretch oneself;
    blow nose; hit with object; wield knife; knock over; grab stuff; shoot with gun; step on foot; high-five;
    cheers and drink; carry object; take a photo; follow; whisper; exchange things; support somebody;
    rock-paper-scissors"""
)
NTU60 = NTU120[:60]

PKU_MMD = _names(
    """bow; brush hair; brush teeth; check time; cheer up; clapping; cross hands in front; drink water; drop; eat meal;
    falling down; giving object; hand waving; shaking hands; hopping; hugging; jump up; kick other person;
    kicking something; phone call; pat on back; pick up; play with phone; point finger at other person;
    point to something; punch other person; push other person; put on a hat; put something inside pocket; reading;
    rub two hands; salute; sit down; stand up; take off a hat; take off glasses; take off jacket;
    take something out of pocket; taking a selfie; tear up paper; throw; back pain; chest pain; headache; neck pain;
    type on a keyboard; fan self; put on jacket; put on glasses; wipe face; writing"""
)

NW_UCLA = _names(
    """pick up with one hand; pick up with two hands; drop trash; walk around; sit down; stand up; donning; doffing;
    throw; carry"""
)

UTD_MHAD = _names(
    """swipe left; swipe right; wave; clap; throw; cross arms; basketball shoot; draw x; draw circle clockwise;
    draw circle counter-clockwise; draw triangle; bowling; boxing; baseball swing; tennis swing; arm curl;
    tennis serve; push; knock on door; catch; pick up and throw; jog in place; walk in place; sit to stand;
    stand to sit; forward lunge; squat"""
)
