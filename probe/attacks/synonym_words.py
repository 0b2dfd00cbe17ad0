"""Groups of English words that say about the same in a review, in one grammatical form each.

Name: probe review synonyms, version 1. Written for probe by hand, under probe's own licence; no dictionary was copied.
A word may be in several groups. What each replacement does to a sentence was read in 50 sentences: see `Synonyms`.
"""

GROUPS = tuple(
    """
movie film picture flick | movies films pictures flicks | movie's film's | cinema film
funny amusing humorous comical | hilarious uproarious hysterical | boring dull tedious tiresome dreary
bad poor lousy | awful terrible horrible dreadful | great terrific superb excellent | good fine
wonderful marvelous fantastic | beautiful lovely gorgeous | smart clever intelligent | stupid dumb idiotic
silly foolish goofy | scary frightening | strange odd weird bizarre peculiar | touching moving affecting poignant
engaging absorbing engrossing captivating | fascinating intriguing | compelling gripping riveting | original inventive
big large | huge enormous giant massive | small little | quick fast rapid | slow sluggish | hard difficult tough
easy simple | enjoyable entertaining | pleasant agreeable | story tale narrative | stories tales | plot storyline
script screenplay | actor performer | actors performers | director filmmaker | directors filmmakers
children kids youngsters | child kid | begin start | begins starts | end finish | ends finishes
ending conclusion finale | watch view | watching viewing | like enjoy | likes enjoys | love adore | loves adores
hate loathe | think believe | thinks believes | show display | shows displays | give provide offer
gives provides offers | giving providing offering | need require | needs requires | try attempt | tries attempts
trying attempting | help aid | laugh chuckle | laughs chuckles | succeeds triumphs | entire whole | often frequently
sometimes occasionally | always constantly | very extremely highly | really truly genuinely | quite rather fairly
almost nearly practically virtually | completely totally entirely utterly wholly thoroughly | simply merely
perhaps maybe possibly | certainly surely definitely undoubtedly | clearly obviously plainly
finally eventually ultimately | quickly rapidly swiftly | surprisingly unexpectedly | unfortunately sadly regrettably
fortunately luckily | especially particularly | mostly mainly largely chiefly primarily
usually generally normally typically | hardly barely scarcely | however nevertheless nonetheless | although though
several various | lots plenty loads | people folks | man guy fellow | men guys | boy lad | friend pal buddy
father dad | mother mom | money cash | idea notion concept | ideas notions concepts | feeling emotion sentiment
feelings emotions | fear dread | joy delight pleasure | anger rage fury | humor comedy wit | joke gag | jokes gags
suspense tension | danger peril | fight battle | war conflict | murder killing | killer murderer | criminal crook
image picture | images pictures | scene sequence | scenes sequences | performance portrayal | performances portrayals
role part | roles parts | cast ensemble | audience viewers | audiences viewers | critic reviewer | mess shambles
disaster catastrophe | failure flop | success hit | trash garbage rubbish junk | charming delightful enchanting
charm appeal | cute adorable | dark gloomy | violent brutal | bloody gory | crude vulgar coarse | pretentious pompous
shallow superficial | deep profound | powerful strong potent forceful | weak feeble | brilliant dazzling
talented gifted skilled | important significant | real genuine authentic | fake phony | young youthful
modern contemporary | short brief | long lengthy | happy glad cheerful | crazy insane mad | quiet silent | loud noisy
honest sincere | serious solemn | bold daring brave | flawed imperfect | perfect flawless | best finest greatest
annoying irritating | unpleasant nasty | ridiculous absurd ludicrous | magnificent splendid | mediocre middling
ordinary commonplace | remarkable extraordinary | surprising unexpected astonishing | memorable unforgettable
clichéd hackneyed trite | uneven inconsistent | familiar recognizable | predictable foreseeable | sad unhappy
energy vigor | fan admirer | fans admirers | trip journey | answer reply | job task | town city | rich wealthy
sick ill | lively spirited energetic | tired weary | empty hollow vacant | rare uncommon | common widespread
secret hidden | false untrue
""".strip()
    .replace("\n", " | ")
    .split(" | ")
)
